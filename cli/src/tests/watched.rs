//! Messages of what watches, every optional field set.

use crate::ui::watch::{
    ChannelRecord, ConditionRecord, DeliveryRecord, StepRecord, TicketRecord, WatchSummary,
};

pub(super) fn condition() -> ConditionRecord {
    let text = String::new;
    ConditionRecord {
        event: text(),
        id: text(),
        time: text(),
        key: text(),
        client: text(),
        system: text(),
        condition: text(),
        severity: 1,
        severity_name: "critical",
        state: "open",
        summary: text(),
    }
}

pub(super) fn ticket() -> TicketRecord {
    let text = String::new;
    TicketRecord {
        key: text(),
        state: "open",
        severity: 1,
        severity_name: "critical",
        client: text(),
        system: text(),
        condition: text(),
        opened: text(),
        seen: 1,
        last_seen: text(),
        resolved: None,
        since: text(),
        summary: text(),
        details: text(),
        remote: [(text(), text())].into(),
        history: Some(vec![StepRecord { time: text(), event: text(), actor: None, note: None }]),
    }
}

pub(super) fn delivery() -> DeliveryRecord {
    let text = String::new;
    DeliveryRecord {
        id: text(),
        client: text(),
        channel: text(),
        kind: text(),
        key: text(),
        time: text(),
        state: text(),
        failed: 0,
        next: None,
        answer: None,
    }
}

pub(super) fn channel() -> ChannelRecord {
    let text = String::new;
    ChannelRecord {
        client: text(),
        channel: text(),
        kind: "webhook",
        usable: true,
        note: None,
        public_keys: Vec::new(),
        ids: Default::default(),
    }
}

pub(super) fn watched() -> WatchSummary {
    WatchSummary::default()
}
