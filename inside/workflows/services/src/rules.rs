//! The policy's rules for services, and services under these rules.

use alloc::collections::BTreeSet;

use adyton_decider::Seconds;
use adyton_tenancy::AccountId;

use crate::decide::{CodeLengthGiven, MAX_CODE_LENGTH, MAX_CODE_LENGTH_FLOOR, Refusal};
use crate::message::{TooLong, check_service};
use crate::state::Service;
use crate::{ServiceId, ServiceSettings, State};

/// Rules of policy and settings for services.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Seconds that a loosening waits.
    pub loosening_wait: Seconds,
    /// Shortest code that a service may have.
    pub min_code_length: u8,
    /// Services that may use codes supplied by the caller, and approve by API.
    pub custom_code_services: BTreeSet<ServiceId>,
}

impl Default for Rules {
    /// A policy without these fields: a day's wait, codes of six digits, none supplied by callers.
    fn default() -> Self {
        Self { loosening_wait: 86_400, min_code_length: 6, custom_code_services: BTreeSet::new() }
    }
}

impl Rules {
    /// Whether a service may have such settings; `given` names the source of the code length.
    pub(crate) fn allow(
        &self,
        service: ServiceId,
        settings: &ServiceSettings,
        given: CodeLengthGiven,
    ) -> Result<(), Refusal> {
        if !(self.min_code_length..=MAX_CODE_LENGTH).contains(&settings.code_length) {
            return Err(Refusal::CodeLength { given, shortest: self.min_code_length });
        }
        if settings.custom_code && !self.custom_code_services.contains(&service) {
            return Err(Refusal::CustomCode);
        }
        // The longest code that a message of the service may carry. A policy's floor, which is 6 at
        // the most, may lie above it.
        let longest =
            if settings.custom_code { MAX_CODE_LENGTH } else { settings.code_length.max(MAX_CODE_LENGTH_FLOOR) };
        check_service(settings, usize::from(longest)).map_err(|TooLong { excess }| Refusal::ServiceTooLong { excess })
    }
}

/// Services as other workflows read them: under the rules of now.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    state: &'a State,
    rules: &'a Rules,
}

/// A service under the rules of now.
#[derive(Clone, Copy)]
pub struct EffectiveService<'a> {
    id: ServiceId,
    service: &'a Service,
    rules: &'a Rules,
}

impl<'a> Services<'a> {
    /// Services of a state under rules.
    pub fn new(state: &'a State, rules: &'a Rules) -> Self {
        Self { state, rules }
    }

    /// The service, if it is the account's; another tenant's is as unknown as one that is not
    /// there.
    pub fn owned_by(&self, account: AccountId, id: ServiceId) -> Option<EffectiveService<'a>> {
        self.get(id).filter(|service| service.account() == account)
    }

    /// The service, of any tenant.
    pub fn get(&self, id: ServiceId) -> Option<EffectiveService<'a>> {
        let service = self.state.get(id)?;
        Some(EffectiveService { id, service, rules: self.rules })
    }
}

impl<'a> EffectiveService<'a> {
    /// Its tenant.
    pub fn account(&self) -> AccountId {
        self.service.account
    }

    /// The settings that its admin chose.
    pub fn settings(&self) -> &'a ServiceSettings {
        &self.service.settings
    }

    /// Digits of its codes: a policy's floor binds services that were there before it.
    pub fn code_length(&self) -> u8 {
        self.service.settings.code_length.max(self.rules.min_code_length)
    }

    /// Whether callers may supply codes: service and policy must both say so.
    pub fn takes_custom_codes(&self) -> bool {
        self.service.settings.custom_code && self.rules.custom_code_services.contains(&self.id)
    }

    /// Shortest code that a caller may supply.
    pub fn min_code_length(&self) -> u8 {
        self.rules.min_code_length
    }
}
