//! Words of shells: quotes, variables, and where commands end. Nothing is run.

use std::collections::BTreeMap;

use crate::secret::is_secret_name;

/// A word as the shell would hand it on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its text.
    pub text: String,
    /// Whether a variable or a command in it is not known.
    pub is_unknown: bool,
    /// Whether any of it stood in quotes.
    pub is_quoted: bool,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// `NAME=value` before it.
    pub assigns: Vec<(String, Word)>,
    /// Its words.
    pub words: Vec<Word>,
    /// Whether its input is what the command before it prints.
    pub is_piped: bool,
}

/// Words of a line without a meaning of their own.
const KEYWORDS: [&str; 17] = [
    "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "esac", "{", "}", "!",
    "time", "exec", "export", "readonly",
];

/// Lines that belong together, with the number of the first: `\` at the end goes on.
#[must_use]
pub(crate) fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (part, next) = match line.strip_suffix('\\') {
            Some(part) if !line.trim_start().starts_with('#') => (part, true),
            _ => (line, false),
        };
        match found.last_mut() {
            Some((_, whole)) if goes_on => {
                whole.push(' ');
                whole.push_str(part);
            }
            _ => found.push((number + 1, part.to_owned())),
        }
        goes_on = next;
    }
    found
}

/// The commands of a line; `None` if a quote is not closed in it.
#[must_use]
pub(crate) fn commands(line: &str, variables: &BTreeMap<String, String>) -> Option<Vec<Command>> {
    let mut lexer = Lexer::of(line, variables);
    lexer.run()?;
    let commands = lexer.commands.into_iter().map(assignments);
    Some(commands.filter(|one| !one.words.is_empty() || !one.assigns.is_empty()).collect())
}

struct Lexer<'a> {
    rest: Vec<char>,
    at: usize,
    variables: &'a BTreeMap<String, String>,
    commands: Vec<Command>,
    current: Command,
    word: Option<Word>,
    /// The next word is the target of a redirection.
    skips: bool,
}

impl<'a> Lexer<'a> {
    fn of(line: &str, variables: &'a BTreeMap<String, String>) -> Self {
        Self {
            rest: line.chars().collect(),
            at: 0,
            variables,
            commands: Vec::new(),
            current: Command::default(),
            word: None,
            skips: false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.get(self.at).copied();
        self.at += 1;
        letter
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn push(&mut self, letter: char) {
        self.word.get_or_insert_default().text.push(letter);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.skips)
        {
            self.current.words.push(word);
        }
    }

    fn end_command(&mut self, pipes: bool) {
        self.end_word();
        self.skips = false;
        let command =
            std::mem::replace(&mut self.current, Command { is_piped: pipes, ..Command::default() });
        self.commands.push(command);
    }

    fn run(&mut self) -> Option<()> {
        while let Some(letter) = self.next() {
            match letter {
                ' ' | '\t' | '\r' | '\n' => self.end_word(),
                '#' if self.word.is_none() => break,
                '\\' => {
                    if let Some(letter) = self.next() {
                        self.push(letter);
                    }
                }
                '\'' => self.single()?,
                '"' => self.double()?,
                '$' => self.variable(false),
                '`' => {
                    self.until('`')?;
                    self.word.get_or_insert_default().is_unknown = true;
                }
                '|' if self.peek() != Some('|') => self.end_command(true),
                '|' | '&' | ';' | '(' | ')' => {
                    let is_redirection = letter == '&' && self.peek() == Some('>');
                    if !is_redirection {
                        self.end_command(false);
                    }
                }
                '<' | '>' => {
                    let is_number = self
                        .word
                        .as_ref()
                        .is_some_and(|word| word.text.chars().all(|one| one.is_ascii_digit()));
                    if is_number {
                        self.word = None;
                    }
                    self.end_word();
                    while self.peek().is_some_and(|one| matches!(one, '>' | '<' | '&')) {
                        self.at += 1;
                    }
                    self.skips = true;
                }
                letter => self.push(letter),
            }
        }
        self.end_command(false);
        Some(())
    }

    fn until(&mut self, end: char) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.next()? {
                letter if letter == end => return Some(text),
                letter => text.push(letter),
            }
        }
    }

    fn single(&mut self) -> Option<()> {
        let text = self.until('\'')?;
        let word = self.word.get_or_insert_default();
        word.is_quoted = true;
        word.text.push_str(&text);
        Some(())
    }

    fn double(&mut self) -> Option<()> {
        self.word.get_or_insert_default().is_quoted = true;
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' if self.peek().is_some_and(|one| matches!(one, '"' | '\\' | '$' | '`')) => {
                    let letter = self.next()?;
                    self.push(letter);
                }
                '$' => self.variable(true),
                '`' => {
                    self.until('`')?;
                    self.word.get_or_insert_default().is_unknown = true;
                }
                letter => self.push(letter),
            }
        }
    }

    /// `$NAME`, `${NAME}`, `$(command)`.
    fn variable(&mut self, is_quoted: bool) {
        let name = match self.peek() {
            Some('{') => {
                self.at += 1;
                self.until('}').unwrap_or_default()
            }
            Some('(') => {
                let mut depth = 0;
                while let Some(letter) = self.next() {
                    depth += i32::from(letter == '(') - i32::from(letter == ')');
                    if depth == 0 {
                        break;
                    }
                }
                String::new()
            }
            _ => {
                let mut name = String::new();
                while self.peek().is_some_and(|one| one.is_ascii_alphanumeric() || one == '_') {
                    name.extend(self.next());
                }
                name
            }
        };
        let known = self.variables.get(&name).filter(|_| !is_secret_name(&name)).cloned();
        let Some(value) = known else {
            self.word.get_or_insert_default().is_unknown = true;
            return;
        };
        for letter in value.chars() {
            match letter.is_whitespace() && !is_quoted {
                true => self.end_word(),
                false => self.push(letter),
            }
        }
    }
}

/// Takes keywords and assignments from the front.
fn assignments(mut command: Command) -> Command {
    loop {
        let Some(first) = command.words.first() else { return command };
        if !first.is_quoted && KEYWORDS.contains(&first.text.as_str()) {
            command.words.remove(0);
            continue;
        }
        let Some((name, value)) = first.text.split_once('=') else { return command };
        if !is_name(name) {
            return command;
        }
        let value = Word { text: value.to_owned(), ..first.clone() };
        command.assigns.push((name.to_owned(), value));
        command.words.remove(0);
    }
}

/// Whether it is the name of a variable.
#[must_use]
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_variables() {
        let variables = BTreeMap::from([
            ("SET".to_owned(), "--exclude a".to_owned()),
            ("RESTIC_PASSWORD".to_owned(), "hunter2".to_owned()),
        ]);
        let found = commands(
            "X=1 restic backup '$HOME' \"a b\" $SET $RESTIC_PASSWORD 2>&1 >>/dev/null | tee x && true # y",
            &variables,
        )
        .expect("closed");
        let texts = |command: &Command| -> Vec<String> {
            command.words.iter().map(|word| word.text.clone()).collect()
        };
        assert_eq!(texts(&found[0]), ["restic", "backup", "$HOME", "a b", "--exclude", "a", ""]);
        assert!(found[0].words[6].is_unknown, "no secret is put into words");
        assert_eq!(found[0].assigns[0].0, "X");
        assert!(found[1].is_piped && texts(&found[1]) == ["tee", "x"]);
        assert_eq!(texts(&found[2]), ["true"]);
        assert_eq!(commands("echo 'open", &variables), None);
    }
}
