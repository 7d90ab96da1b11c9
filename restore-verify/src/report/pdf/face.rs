//! The two fonts: which glyph stands for a letter, how wide it is, where lines break.

use std::collections::HashMap;

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// Inter under the SIL Open Font License, see `fonts/`.
const REGULAR: &[u8] = include_bytes!("fonts/Inter-Regular.otf");
const SEMI_BOLD: &[u8] = include_bytes!("fonts/Inter-SemiBold.otf");

/// Shown for a letter that the fonts do not have.
const MISSING: char = '□';

/// A weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

/// A glyph: number and width in parts of the font size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    pub(super) id: u32,
    pub(super) advance: f32,
}

struct Face {
    bytes: &'static [u8],
    glyphs: HashMap<char, Glyph>,
    missing: Glyph,
}

/// Both fonts.
pub(super) struct Faces {
    regular: Face,
    semi_bold: Face,
}

impl Face {
    fn load(bytes: &'static [u8]) -> Option<Self> {
        let font = FontRef::new(bytes).ok()?;
        let widths = font.glyph_metrics(Size::new(1.0), LocationRef::default());
        let mut glyphs = HashMap::new();
        for (code, id) in font.charmap().mappings() {
            let glyph = Glyph { id: id.to_u32(), advance: widths.advance_width(id)? };
            glyphs.insert(char::from_u32(code)?, glyph);
        }
        let missing = *glyphs.get(&MISSING)?;
        Some(Self { bytes, glyphs, missing })
    }
}

impl Faces {
    pub(super) fn load() -> Option<Self> {
        Some(Self { regular: Face::load(REGULAR)?, semi_bold: Face::load(SEMI_BOLD)? })
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::SemiBold => &self.semi_bold,
        }
    }

    pub(super) fn bytes(&self, weight: Weight) -> &'static [u8] {
        self.face(weight).bytes
    }

    pub(super) fn glyph(&self, weight: Weight, letter: char) -> Glyph {
        let face = self.face(weight);
        face.glyphs.get(&letter).copied().unwrap_or(face.missing)
    }

    pub(super) fn width(&self, weight: Weight, size: f32, text: &str) -> f32 {
        text.chars().map(|letter| self.glyph(weight, letter).advance).sum::<f32>() * size
    }

    /// The widest word, in points.
    pub(super) fn widest_word(&self, weight: Weight, size: f32, text: &str) -> f32 {
        text.split(' ').map(|word| self.width(weight, size, word)).fold(0.0, f32::max)
    }

    /// Lines that are at most `width` wide: broken at spaces, and within a word that is wider.
    pub(super) fn lines(&self, weight: Weight, size: f32, text: &str, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for part in text.split('\n') {
            let mut line = String::new();
            for word in part.split(' ') {
                let joined =
                    if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if self.width(weight, size, &joined) <= width {
                    line = joined;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                line = self.broken(weight, size, word, width, &mut lines);
            }
            lines.push(line);
        }
        lines
    }

    /// Breaks a word that may be wider than a line; returns what begins the next line.
    fn broken(
        &self,
        weight: Weight,
        size: f32,
        word: &str,
        width: f32,
        lines: &mut Vec<String>,
    ) -> String {
        let mut line = String::new();
        let mut used = 0.0;
        for letter in word.chars() {
            let advance = self.glyph(weight, letter).advance * size;
            if used + advance > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(letter);
            used += advance;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_no_letter() {
        let faces = Faces::load().expect("the fonts are good");
        let text =
            "Stored bytes authenticated within 28 days: 5d41402abc4b2a76b9719d911017c5925d41";
        for width in [30.0, 60.0, 200.0] {
            let lines = faces.lines(Weight::Regular, 8.0, text, width);
            for line in &lines {
                assert!(faces.width(Weight::Regular, 8.0, line) <= width, "{line} in {width}");
            }
            let joined: String = lines.concat().replace(' ', "");
            assert_eq!(joined, text.replace(' ', ""));
        }
        assert_eq!(faces.lines(Weight::SemiBold, 8.0, "a\nb", 50.0), ["a", "b"]);
    }

    #[test]
    fn figures_are_of_equal_width_and_an_unknown_letter_is_shown() {
        let faces = Faces::load().expect("the fonts are good");
        let width = |text: &str| faces.width(Weight::Regular, 10.0, text);
        assert!((width("1111") - width("0888")).abs() < 1e-3);
        assert_eq!(faces.glyph(Weight::Regular, '語').id, faces.glyph(Weight::Regular, MISSING).id);
        for letter in "äßéĄřЖЯω→≥−–“”…✓✗·€".chars() {
            assert_ne!(
                faces.glyph(Weight::SemiBold, letter).id,
                faces.glyph(Weight::SemiBold, MISSING).id,
                "{letter}"
            );
        }
    }
}
