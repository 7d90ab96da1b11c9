//! How scenes are drawn: often enough each of what has bitten people, and all of it together.

use system_tests::scale::Chance;

use crate::scene::{Bytes, Hidden, Item, Meta, Node, OUTSIDE, Order, Overwrite, Part, Scene};

/// Moments: files of before and after each other, by a nanosecond too.
const MOMENTS: [(i64, u32); 6] = [
    (1_600_000_000, 0),
    (1_700_000_000, 5),
    (1_700_000_000, 6),
    (1_700_000_001, 0),
    (1_750_000_000, 999_999_999),
    (-5, 7),
];

/// Sizes of files, with holes: empty, in the entry, one chunk, several chunks, sparse.
const SIZES: [(u64, u64); 7] =
    [(0, 0), (5, 0), (900, 0), (30_000, 0), (70_000, 0), (330_000, 0), (70_000, 400_000)];

/// What the machine and the program can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    /// Mounting, and everything else that only root may do.
    pub(crate) root: bool,
    /// The option `--replace-kind`, which programs of before do not have.
    pub(crate) replace_kind: bool,
    /// The option `--in-place`, the same.
    pub(crate) in_place: bool,
}

/// The scene of a seed.
pub(crate) fn scene(seed: u64, abilities: Abilities) -> Scene {
    // Neighbouring seeds begin with neighbouring numbers; the first draw spreads them.
    let mut drawer =
        Drawer { chance: Chance::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D)), abilities };
    let order = drawer.order();
    let mut scene = Scene {
        seed,
        items: Vec::new(),
        excluded: Vec::new(),
        order,
        tops: (drawer.meta(true), drawer.meta(true)),
        is_narrow: !drawer.hits(3),
    };
    let is_unreadable = abilities.root && drawer.hits(5);
    drawer.folder(&mut scene, "", 0);
    drawer.hide(&mut scene, is_unreadable);
    drawer.links(&mut scene);
    drawer.filters(&mut scene);
    drawer.part(&mut scene);
    if scene.order.overwrite == Overwrite::Absent {
        for item in &mut scene.items {
            (item.there, item.there_link, item.is_mount) = (None, None, false);
        }
    }
    scene
}

struct Drawer {
    chance: Chance,
    abilities: Abilities,
}

impl Drawer {
    fn hits(&mut self, one_in: u64) -> bool {
        self.chance.hits(one_in)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.chance.below(from.len() as u64) as usize].clone()
    }

    fn order(&mut self) -> Order {
        use Overwrite::{Absent, Always, IfChanged, IfNewer, Never};
        let policies = [Always, IfChanged, IfChanged, IfNewer, Never, Always, IfChanged, Absent];
        let overwrite = self.pick(&policies);
        let may = overwrite != Absent;
        Order {
            part: Part::Source,
            overwrite,
            delete: may && self.hits(2),
            replace_kind: may && self.hits(2) && self.abilities.replace_kind,
            in_place: may && self.hits(8) && self.abilities.in_place,
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }

    fn meta(&mut self, is_folder: bool) -> Meta {
        let modes: &[u32] = match is_folder {
            true => &[0o755, 0o700, 0o750, 0o2755, 0o500, 0o555],
            false => &[0o644, 0o600, 0o755, 0o400, 0o444, 0o4755],
        };
        Meta {
            mode: self.pick(modes),
            owner: if self.abilities.root && self.hits(3) { 1000 } else { 0 },
            mtime: self.pick(&MOMENTS),
            note: self.hits(4).then(|| self.pick(&["old", "new"]).to_owned()),
        }
    }

    fn bytes(&mut self) -> Bytes {
        let (length_bytes, hole_bytes) = self.pick(&SIZES);
        Bytes { seed: self.chance.below(6), length_bytes, hole_bytes }
    }

    fn node(&mut self, depth: usize, is_folder_likely: bool) -> Node {
        let dice = self.chance.below(12);
        if depth < 3 && (dice < 3 || (is_folder_likely && dice < 8)) {
            return Node::Folder(self.meta(true));
        }
        let meta = self.meta(false);
        match dice {
            10 => Node::Symlink(self.link_target(depth), meta),
            11 if self.hits(2) => Node::Fifo(meta),
            _ => Node::File(self.bytes(), meta),
        }
    }

    fn link_target(&mut self, depth: usize) -> String {
        let up = "../".repeat(depth + 1);
        match self.chance.below(4) {
            0 => format!("{up}{OUTSIDE}/folder"),
            1 => format!("{up}{OUTSIDE}/file"),
            2 => "nowhere".to_owned(),
            _ => ".".to_owned(),
        }
    }

    /// The names in a folder that is in the snapshot, in the target, or in both.
    fn folder(&mut self, scene: &mut Scene, parent: &str, depth: usize) {
        let names = ["a", "b.txt", "c", "d.log", "e f", "ü"];
        let count = if depth == 0 { 3 + self.chance.below(4) } else { 1 + self.chance.below(3) };
        let is_folder = |node: Option<&Node>| node.is_some_and(Node::is_folder);
        let (in_saved, in_there) = match scene.item(parent) {
            None => (true, true),
            Some(item) => (is_folder(item.saved.as_ref()), is_folder(item.there.as_ref())),
        };
        for name in names.iter().take(count as usize) {
            let path =
                if parent.is_empty() { (*name).to_owned() } else { format!("{parent}/{name}") };
            let saved = (in_saved && !self.hits(6)).then(|| self.node(depth, depth == 0));
            let there = in_there.then(|| self.there(saved.as_ref(), depth)).flatten();
            if saved.is_none() && there.is_none() {
                continue;
            }
            let is_mount = self.abilities.root && is_folder(there.as_ref()) && self.hits(12);
            let descends = is_folder(saved.as_ref()) || is_folder(there.as_ref());
            scene.items.push(Item {
                path: path.clone(),
                saved,
                hidden: None,
                saved_link: None,
                there,
                there_link: None,
                is_mount,
            });
            if descends {
                self.folder(scene, &path, depth + 1);
            }
        }
    }

    /// What is in the target where the snapshot has `saved`.
    fn there(&mut self, saved: Option<&Node>, depth: usize) -> Option<Node> {
        let Some(saved) = saved else { return self.hits(2).then(|| self.node(depth, false)) };
        let mut node = saved.clone();
        match self.chance.below(10) {
            0 | 1 => return None,
            2 | 3 => {}
            4 => *node.meta_mut() = self.meta(saved.is_folder()),
            5 => node.meta_mut().note = Some("other".to_owned()),
            6 => return Some(self.other_kind(saved, depth)),
            // Same size and time, other bytes: only `always` replaces it.
            7 => self.spoil(&mut node),
            _ => {
                self.spoil(&mut node);
                node.meta_mut().mtime = self.pick(&MOMENTS);
                if let Node::File(bytes, _) = &mut node {
                    (bytes.length_bytes, bytes.hole_bytes) = self.pick(&SIZES);
                }
            }
        }
        Some(node)
    }

    fn spoil(&mut self, node: &mut Node) {
        if let Node::File(bytes, _) = node {
            bytes.seed += 10;
        } else if let Node::Symlink(to, _) = node {
            *to = "elsewhere".to_owned();
        }
    }

    fn other_kind(&mut self, saved: &Node, depth: usize) -> Node {
        let meta = self.meta(false);
        let link =
            Node::Symlink(format!("{}{OUTSIDE}/folder", "../".repeat(depth + 1)), meta.clone());
        match saved {
            Node::Folder(_) if self.hits(2) => link,
            Node::Folder(_) => Node::File(self.bytes(), meta),
            _ if self.hits(3) => Node::Folder(self.meta(true)),
            Node::Symlink(..) => Node::File(self.bytes(), meta),
            _ => link,
        }
    }

    /// What the backup leaves out. Somebody who is not root reads what belongs to him.
    fn hide(&mut self, scene: &mut Scene, is_unreadable: bool) {
        let names: Vec<String> = scene.items.iter().map(|item| item.name().to_owned()).collect();
        if !names.is_empty() && self.hits(3) {
            scene.excluded.push(self.pick(&names));
        }
        for item in &mut scene.items {
            if item.saved.is_some() && scene.excluded.iter().any(|name| name == item.name()) {
                item.hidden = Some(Hidden::Excluded);
            }
            let can = matches!(item.saved, Some(Node::File(..) | Node::Folder(_)));
            if is_unreadable && can && item.hidden.is_none() && self.hits(5) {
                item.hidden = Some(Hidden::Unreadable);
            }
        }
    }

    /// Files that are one file: in the snapshot, and in the target together with a name outside.
    fn links(&mut self, scene: &mut Scene) {
        let mut first: [Option<Node>; 2] = [None, None];
        let mut first_there: [Option<Node>; 2] = [None, None];
        let wants = (self.hits(2), self.hits(3));
        for item in &mut scene.items {
            let group = self.chance.below(4) as usize;
            let is_plain = item.hidden.is_none();
            if wants.0 && group < 2 && is_plain && matches!(item.saved, Some(Node::File(..))) {
                item.saved = Some(
                    first[group]
                        .get_or_insert_with(|| item.saved.clone().expect("it was looked at"))
                        .clone(),
                );
                item.saved_link = Some(group as u8);
            }
            let group = self.chance.below(4) as usize;
            if wants.1 && group < 2 && matches!(item.there, Some(Node::File(..))) {
                item.there = Some(
                    first_there[group]
                        .get_or_insert_with(|| item.there.clone().expect("it was looked at"))
                        .clone(),
                );
                item.there_link = Some(group as u8);
            }
        }
        // Another file system cannot have a second name of a file.
        let mounts: Vec<String> =
            scene.items.iter().filter(|i| i.is_mount).map(|i| format!("{}/", i.path)).collect();
        for item in &mut scene.items {
            if mounts.iter().any(|mount| item.path.starts_with(mount)) {
                item.there_link = None;
            }
        }
    }

    fn filters(&mut self, scene: &mut Scene) {
        let names: Vec<String> = scene.items.iter().map(|item| item.name().to_owned()).collect();
        if names.is_empty() {
            return;
        }
        match self.chance.below(6) {
            0 => scene.order.include.push(self.pick(&names)),
            1 => scene.order.exclude.push(self.pick(&names)),
            2 => {
                scene.order.exclude.push(self.pick(&names));
                scene.order.exclude.push(format!("!{}", self.pick(&names)));
            }
            _ => {}
        }
    }

    fn part(&mut self, scene: &mut Scene) {
        let of_kind = |is_folder: bool| -> Vec<String> {
            let items = scene.items.iter();
            items
                .filter(|item| match scene.in_snapshot(&item.path) {
                    Some(Node::Folder(_)) => is_folder,
                    Some(Node::File(..)) => !is_folder,
                    _ => false,
                })
                .map(|item| item.path.clone())
                .collect()
        };
        let (folders, files) = (of_kind(true), of_kind(false));
        scene.order.part = match self.chance.below(10) {
            0 => Part::Whole,
            1 if !folders.is_empty() => Part::Folder(self.pick(&folders)),
            2 if !files.is_empty() => Part::File(self.pick(&files)),
            3 if !files.is_empty() && self.hits(2) => Part::FileAs(self.pick(&files)),
            _ => Part::Source,
        };
        if matches!(scene.order.part, Part::File(_) | Part::FileAs(_)) {
            scene.order.include.clear();
            scene.order.exclude.clear();
        }
    }
}
