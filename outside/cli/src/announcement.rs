//! What `adyton up` prints once a vault serves: a line for programs, or instructions whose lines work as they are.

use adyton_policy::Policy;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::folders::Folders;
use crate::quote::sh;
use crate::vault::{Serving, Vault};

/// Everything that a program needs to use the vault. `pcr0` is register 0 of the enclave that was started.
pub(crate) fn announcement(
    vault: &Vault,
    serving: &Serving,
    folders: &Folders,
    (ready, policy, pcr0): (&Value, &Policy, &[u8; 48]),
) -> Value {
    let Serving { vault_id, genesis, folder, tenant, .. } = serving;
    json!({
        "api": format!("https://{}", vault.listen), "account_sid": tenant.account_sid,
        "auth_token": tenant.auth_token, "service_sid": tenant.service_sid, "ca": folder.join("ca.pem"),
        "settings": folder.join("settings.toml"),
        "phone": ready["phone"], "vault_id": vault_id.to_string(), "root": ready["root"], "pcr0": HEXLOWER.encode(pcr0),
        "metrics": format!("http://{}/metrics", vault.metrics), "gov_log": format!("http://{}/gov", vault.tiles),
        "ops_log": format!("http://{}/ops-0", vault.tiles_ops), "enclave_pid": vault.enclave.id(), "host_pid": vault.host.id(),
        "client_dir": folders.client, "tenant": folder.join("tenant.json"), "tenant_key": folder.join("tenant"),
        "owner_key": folders.client.join("owner"), "pretend_dir": folders.pretend,
        "profile": genesis.profile.text(), "nsm": ready["nsm"],
        "machine": { "heartbeat_ms": vault.enclave.heartbeat_ms(), "hangs": vault.hangs },
        "kms": { "key": policy.custody.key, "address": ready["tls"], "ca": ready["tls_ca"],
            "administrator": ready["kms_administrator"], "role": ready["kms_role"], "imds": ready["imds"] },
    })
}

/// For people.
pub(crate) fn instructions(up: &Value, folders: &Folders) {
    let field = |name: &str| up[name].as_str().unwrap_or_default();
    // Paths, as a shell reads them.
    let path = |name: &str| sh(field(name));
    let (api, ca, account, token, service) =
        (field("api"), path("ca"), field("account_sid"), field("auth_token"), field("service_sid"));
    let (tenant, tenant_key, owner_key) = (path("tenant"), path("tenant_key"), path("owner_key"));
    let (vault_id, root, pcr0, data) = (field("vault_id"), path("root"), field("pcr0"), sh(folders.data.display()));
    println!(
        "The vault is up at {api}
vault id {vault_id}
profile {}: this shows the wall and tests it; it protects nothing from this machine's root. freshness: none

Phone: {}
Metrics: {}
Logs (C2SP tlog-tiles): {} (public) and {}

Send a first code with the Python SDK (pip install twilio; unset TWILIO_REGION and TWILIO_EDGE):

  export REQUESTS_CA_BUNDLE={ca}
  python3 -c 'from twilio.rest import Client; \\
  client = Client(\"{account}\", \"{token}\"); \\
  client.verify.base_url = \"{api}\"; \\
  verify = client.verify.v2.services(\"{service}\"); \\
  print(verify.verifications.create(to=\"+12025550123\", channel=\"sms\").status); \\
  print(verify.verification_checks.create(to=\"+12025550123\", code=input(\"code: \")).status)'

or with curl:

  curl --cacert {ca} -u {account}:{token} {api}/v2/Services/{service}/Verifications \\
    -d To=%2B12025550123 -d Channel=sms
  curl --cacert {ca} -u {account}:{token} {api}/v2/Services/{service}/VerificationCheck \\
    -d To=%2B12025550123 -d Code=123456

or the adyton command, for the tenant and for the owner:

  export ADYTON_API={api} ADYTON_VAULT_ID={vault_id}
  export ADYTON_ROOT={root}
  export ADYTON_PCR=0={pcr0}
  export ADYTON_TENANT={tenant}
  adyton key create --key {tenant_key} --scope support --out support.json
  adyton tenant show
  adyton settings show --key {owner_key}

Ask it what it is: adyton verify {api} --vault-id {vault_id} --root {root} --pcr 0={pcr0}
Check the log: adyton log check --data {data}
The key of its heads: adyton log key --data {data}
Stop: Ctrl-C",
        field("profile"),
        field("phone"),
        field("metrics"),
        field("gov_log"),
        field("ops_log"),
    );
}
