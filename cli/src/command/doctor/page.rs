//! The page of a doctor: what was looked at, a line each, and the first thing that is wrong.

use crate::fault::Fault;
use crate::ui::upkeep::Look;

/// What is shown.
#[derive(Default)]
pub(super) struct Page {
    /// In order.
    pub(super) looks: Vec<Look>,
    /// What to type next.
    pub(super) next: Option<String>,
    /// The first failure, which decides the exit code.
    pub(super) fault: Option<Fault>,
}

impl Page {
    pub(super) fn good(&mut self, name: &'static str, text: String, from: Option<String>) {
        self.looks.push(Look { name, outcome: "ok", text, from, hint: None });
    }

    pub(super) fn warn(&mut self, name: &'static str, text: String, hint: &str) {
        self.looks.push(Look {
            name,
            outcome: "warning",
            text,
            from: None,
            hint: Some(hint.to_owned()),
        });
    }

    pub(super) fn skip(&mut self, name: &'static str, text: String) {
        self.looks.push(Look { name, outcome: "unknown", text, from: None, hint: None });
    }

    pub(super) fn bad(&mut self, name: &'static str, fault: Fault) {
        let lines = fault.lines();
        let part = |head: &str| lines.iter().find_map(|line| line.trim_start().strip_prefix(head));
        let mut text = part("error: ").unwrap_or_default().to_owned();
        if let Some(cause) = part("cause: ") {
            text = format!("{text}: {cause}");
        }
        let hint = part("try: ").map(str::to_owned);
        self.looks.push(Look { name, outcome: "failed", text, from: None, hint });
        self.fault = self.fault.take().or(Some(fault));
    }
}
