//! Who pays for a command, and how much: known before the command waits.

use adyton_decider::{Cost, Payer};
use adyton_engine::sealing::padded;
use adyton_tenancy::{Caller, KeyChanges, NewKey};

use crate::{AccountId, Command, View, services, tenancy, verification};

/// Hot bytes that a command logs, at the most: the end of one verification and the start of another.
const HOT: usize = 400;
/// Kept bytes besides the ones below: heads of events, ids, numbers and the operation's record.
const KEPT: usize = 300;
/// Bytes of a service's settings in an event, at the most: a name, a domain and eight hashes of apps.
const SETTINGS: usize = 600;
/// Bytes of a key to add: SID, scopes, keyed hash.
const NEW_KEY: usize = size_of::<NewKey>();

/// The payer and the most that a command costs, as a view knows them.
pub(crate) fn cost(view: &View, command: &Command) -> Cost {
    let (payer, kept) = match command {
        Command::Tenancy(command) => of_tenancy(command),
        Command::Services(command) => of_services(view, command),
        Command::Verification(command) => (of_verification(view, command), 0),
        Command::RecordRead(note) => (payer(view, &note.caller), 0),
        Command::Tick(_) => (Payer::Internal, 0),
    };
    Cost { payer, bytes: padded(HOT, KEPT + kept) }
}

/// Callers whose token the view does not verify share one payer.
fn payer(view: &View, caller: &Caller) -> Payer {
    view.identify(caller).map_or(Payer::Unauthenticated, |(account, _)| tenant(account))
}

fn tenant(account: AccountId) -> Payer {
    Payer::Id(*account.as_bytes())
}

/// The signatures were verified before there was a command.
fn of_tenancy(command: &tenancy::Command) -> (Payer, usize) {
    match command {
        tenancy::Command::CreateTenant(create) => {
            let payer = create.admitted.map_or(Payer::Unauthenticated, |_| Payer::Owners);
            (payer, create.friendly_name.len() + create.ssh_key.len())
        }
        tenancy::Command::ChangeKeys(change) => {
            let KeyChanges { removed, added, .. } = &change.changes;
            (tenant(change.account), removed.len() * 16 + added.len() * NEW_KEY)
        }
        tenancy::Command::ChangeSettings(change) => (Payer::Owners, change.text.len()),
    }
}

fn of_services(view: &View, command: &services::Command) -> (Payer, usize) {
    let (caller, kept) = match command {
        services::Command::CreateService(create) => (&create.caller, SETTINGS),
        services::Command::UpdateService(update) => (&update.caller, SETTINGS),
        services::Command::DeleteService(delete) => (&delete.caller, 0),
        services::Command::Loosen(loosen) => (&loosen.caller, 0),
        services::Command::WithdrawLoosening(withdraw) => (&withdraw.caller, 0),
    };
    (payer(view, caller), kept)
}

fn of_verification(view: &View, command: &verification::Command) -> Payer {
    match command {
        verification::Command::Start(start) => payer(view, &start.caller),
        verification::Command::Check(check) => payer(view, &check.caller),
        verification::Command::Cancel(cancel) => payer(view, &cancel.caller),
        verification::Command::Approve(approve) => payer(view, &approve.caller),
        verification::Command::LookUp(look) => payer(view, &look.caller),
        // Delivery's own: as many as there were starts.
        verification::Command::ReportDelivery(_) | verification::Command::CountRepeat(_) => Payer::Internal,
    }
}
