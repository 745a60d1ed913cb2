//! Decider of the verification workflow. `starts` sends codes, `checks` compares them.

use adyton_decider::Context;

use crate::{Command, Draft, Event, ReadHandles, Refusal, Reply, ReportDelivery, Rules, State, checks, starts};

/// Decides one command.
///
/// # Errors
/// A [`Refusal`]. The draft then holds what is logged of it: that a check, an end or an approval
/// was asked for, and nothing of any other command.
pub fn decide(
    state: &State,
    handles: &ReadHandles<'_>,
    command: Command,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<Reply, Refusal> {
    let logs_refusals = matches!(command, Command::Check(_) | Command::Cancel(_) | Command::Approve(_));
    let before = (draft.events.len(), draft.effects.len());
    let reply = draft_of(state, handles, command, context, draft);
    if reply.is_err() && !logs_refusals {
        draft.events.truncate(before.0);
        draft.effects.truncate(before.1);
    }
    reply
}

fn draft_of(
    state: &State,
    handles: &ReadHandles<'_>,
    command: Command,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<Reply, Refusal> {
    match command {
        Command::Start(start) => starts::start(state, handles, start, context, draft).map(Reply::Verification),
        Command::Check(check) => checks::check(state, handles, &check, context, draft).map(Reply::Verification),
        Command::Cancel(cancel) => checks::cancel(state, handles, &cancel, context.now, draft).map(Reply::Verification),
        Command::Approve(approve) => {
            checks::approve(state, handles, &approve, context.now, draft).map(Reply::Verification)
        }
        Command::LookUp(look) => checks::look_up(state, handles, &look, context.now, draft).map(Reply::Support),
        Command::ReportDelivery(report) => {
            report_delivery(state, handles, &report, draft);
            Ok(Reply::Done)
        }
        Command::CountRepeat(repeat) => {
            starts::count_repeat(state, handles, &repeat, context, draft)?;
            Ok(Reply::Done)
        }
    }
}

fn report_delivery(state: &State, handles: &ReadHandles<'_>, report: &ReportDelivery, draft: &mut Draft) {
    let ReportDelivery { verification, attempt, outcome, route } = *report;
    // A verification that has ended needs no outcome.
    if handles.existing(state, verification).is_some() {
        draft.log(Event::DeliveryReported { verification, attempt, outcome, route });
    }
}
