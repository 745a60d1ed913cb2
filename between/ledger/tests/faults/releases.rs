//! Policies, approvals and settings in the public log: each planted fault is named.

use adyton_ledger::{LogId, ReleaseError, Rule};

use crate::vault::{BOOT, POLICY, Vault};

const SECOND: &[u8] = b"the second policy";
const NEXT: [u8; 16] = [0xB1; 16];
const LATER: [u8; 16] = [0xB2; 16];

/// Release 1 has booted; the next record stands at 3.
fn finds(plant: impl FnOnce(&mut Vault), index: u64, error: ReleaseError) {
    let mut vault = Vault::new();
    plant(&mut vault);
    vault.finds(LogId::GOV, index, Rule::Release(error));
}

fn approved() -> Vault {
    let mut vault = Vault::new();
    vault.approval(NEXT, 2, POLICY, SECOND);
    vault.policy(NEXT, 2, SECOND);
    vault
}

#[test]
fn an_approved_policy_is_a_release() {
    let mut vault = approved();
    vault.boot_of(NEXT, 2, SECOND);
    vault.boot_of(LATER, 2, SECOND);
    let history = vault.report().history;
    assert_eq!(history.policies.iter().map(|policy| policy.release).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(history.approvals.iter().map(|approval| approval.release).collect::<Vec<_>>(), [2]);
    // The owners may go back, by a release of its own.
    vault.approval([0xB3; 16], 3, SECOND, POLICY);
    vault.policy([0xB3; 16], 3, POLICY);
    vault.boot_of([0xB3; 16], 3, POLICY);
    assert_eq!(vault.report().boots, 4);
}

#[test]
fn a_boot_that_ended_after_its_approval_leaves_the_rest_to_another() {
    let mut vault = Vault::new();
    vault.approval(NEXT, 2, POLICY, SECOND);
    assert_eq!(vault.report().history.policies.len(), 1);
    vault.policy(LATER, 2, SECOND);
    vault.boot_of(LATER, 2, SECOND);
    assert_eq!(vault.report().boots, 2);
}

#[test]
fn boots_under_another_release_or_policy() {
    let mut vault = Vault::newborn();
    vault.boot(BOOT);
    vault.finds(LogId::GOV, 1, Rule::Release(ReleaseError::Boot));
    finds(|vault| vault.boot_of(NEXT, 1, SECOND), 3, ReleaseError::Boot);
    finds(|vault| vault.boot_of(NEXT, 2, POLICY), 3, ReleaseError::Boot);
    for (release, policy) in [(1, POLICY), (1, SECOND), (2, POLICY)] {
        let mut vault = approved();
        vault.boot_of(LATER, release, policy);
        vault.finds(LogId::GOV, 5, Rule::Release(ReleaseError::Boot));
    }
    let unshown = |vault: &mut Vault| {
        vault.approval(NEXT, 2, POLICY, SECOND);
        vault.boot_of(NEXT, 2, SECOND);
    };
    finds(unshown, 4, ReleaseError::Boot);
}

#[test]
fn approvals_that_do_not_follow() {
    for (release, old, new) in [(1, POLICY, SECOND), (3, POLICY, SECOND), (2, SECOND, POLICY), (2, POLICY, POLICY)] {
        finds(|vault| vault.approval(NEXT, release, old, new), 3, ReleaseError::Approval);
    }
    let unshown = |vault: &mut Vault| {
        vault.approval(NEXT, 2, POLICY, SECOND);
        vault.approval(NEXT, 3, SECOND, POLICY);
    };
    finds(unshown, 4, ReleaseError::Approval);
    let again = |vault: &mut Vault| {
        *vault = approved();
        vault.approval(LATER, 2, POLICY, SECOND);
    };
    finds(again, 5, ReleaseError::Approval);
}

#[test]
fn policies_that_are_not_in_force_or_stand_there_twice() {
    finds(|vault| vault.policy(NEXT, 1, POLICY), 3, ReleaseError::Policy);
    for (release, policy) in [(2, POLICY), (1, SECOND)] {
        let mut vault = Vault::newborn();
        vault.policy(BOOT, release, policy);
        vault.finds(LogId::GOV, 1, Rule::Release(ReleaseError::Policy));
    }
}

#[test]
fn the_hand_that_writes_them_is_a_boot_that_has_not_begun() {
    for running in [BOOT, NEXT] {
        let mut vault = Vault::new();
        vault.boot(NEXT);
        vault.approval(running, 2, POLICY, SECOND);
        vault.finds(LogId::GOV, 4, Rule::BootRepeated { first: if running == BOOT { 2 } else { 3 } });
    }
}

#[test]
fn settings_do_not_go_back() {
    let mut vault = Vault::new();
    // A crash before the event of the same sequence has it written again.
    [1, 4, 4].into_iter().for_each(|sequence| vault.settings(sequence));
    assert_eq!(vault.report().history.settings.len(), 3);
    vault.settings(3);
    vault.finds(LogId::GOV, 6, Rule::Release(ReleaseError::Settings));
}
