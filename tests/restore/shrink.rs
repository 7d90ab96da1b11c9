//! The smallest scene that still shows what a large one showed.

use crate::play::{Extent, Player, Violation};
use crate::scene::{Part, Scene};

/// How many points of each smaller scene are tried.
const POINTS: usize = 60;

/// Leaves out paths, filters and options as long as a violation of the same moment remains; the
/// last of them that had one.
pub(crate) fn shrink(player: &Player, scene: &Scene, found: Violation) -> Violation {
    let (mut best, mut found) = (scene.clone(), found);
    let extent = Extent { points: POINTS, is_every: false };
    let mut again = true;
    while again {
        again = false;
        for candidate in smaller(&best) {
            let played = player.play(&candidate, extent);
            let same = played.violations.into_iter().find(|one| one.moment == found.moment);
            if let Some(same) = same {
                (best, found, again) = (candidate, same, true);
                break;
            }
        }
    }
    found
}

/// Scenes that are this one without something, large parts first.
fn smaller(scene: &Scene) -> Vec<Scene> {
    let mut all = Vec::new();
    for item in &scene.items {
        let (path, below) = (item.path.clone(), format!("{}/", item.path));
        let mut less = scene.clone();
        less.items.retain(|item| item.path != path && !item.path.starts_with(&below));
        all.push(less);
    }
    for at in 0..scene.items.len() {
        let mut less = scene.clone();
        let item = &mut less.items[at];
        (item.saved_link, item.there_link) = (None, None);
        if less != *scene {
            all.push(less);
        }
    }
    let mut options = scene.clone();
    options.order.include.clear();
    options.order.exclude.clear();
    let (mut kept, mut plain) = (scene.clone(), scene.clone());
    kept.order.delete = false;
    plain.order.replace_kind = false;
    all.extend([options, kept, plain].into_iter().filter(|less| less != scene));
    let is_possible = |less: &Scene| match &less.order.part {
        Part::Source | Part::Whole => true,
        Part::Folder(path) | Part::File(path) | Part::FileAs(path) => less.item(path).is_some(),
    };
    all.retain(is_possible);
    all
}
