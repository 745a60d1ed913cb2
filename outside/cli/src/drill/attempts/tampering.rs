//! Changing what the host keeps: credentials and policy.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Attempt;
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error};
use crate::laptop::override_key;
use crate::settings;

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 2] = [
    Attempt {
        id: "transplanted-credential",
        what: "Has the owners sign settings in which a carrier's credential stands at another carrier",
        expected: Expected::Closed,
        run: |drill| Box::pin(transplanted(drill)),
    },
    Attempt {
        id: "edited-policy",
        what: "Edits the policy behind the vault's back, and restarts it",
        expected: Expected::Closed,
        run: |drill| Box::pin(edited(drill)),
    },
];

async fn transplanted(drill: &mut Drill) -> Result<Finding, Error> {
    let text = std::fs::read_to_string(drill.stack.serving.folder.join("settings.toml"))?;
    let swapped = swapped(&text).ok_or("the settings do not name two credentials")?;
    let owner = drill.stack.folders.client.join("owner");
    match settings::change(drill.stack.client(), &drill.stack.serving.vault_id, swapped, &[owner]).await {
        Ok(_) => Ok(Finding::leak("the vault took both credentials at each other's place")),
        Err(error) if error.to_string().contains("400") => {
            Ok(Finding::closed(ClosedBy::Binding, "sealed for one name, host and port, it opens at no other"))
        }
        Err(error) => Err(error),
    }
}

/// The settings with the values of the two credentials exchanged.
fn swapped(text: &str) -> Option<String> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
    let (first, second) = (value("pretend-messages")?, value("pretend-mail")?);
    let text = override_key(text, "credentials.pretend-messages", second);
    Some(override_key(&text, "credentials.pretend-mail", first))
}

async fn edited(drill: &mut Drill) -> Result<Finding, Error> {
    let mut stack = drill.another("edited", Unusual::default()).await?;
    let finding = boot_under_another(&mut stack).await;
    stack.stop();
    // An image has its policy inside, so the KMS is the first to refuse it.
    let by_image = || Finding::closed(ClosedBy::KeyPolicy, "the KMS releases nothing to an image with another policy");
    finding.map(|finding| if drill.site.parts.is_some() && finding.is_closed() { by_image() } else { finding })
}

async fn boot_under_another(stack: &mut Stack) -> Result<Finding, Error> {
    let file = stack.folders.data.join("adyton.toml");
    let text = std::fs::read_to_string(&file)?;
    let edited = override_key(&text, "verification.countries", r#"["+1", "+44", "+7"]"#);
    stack.vault.enclave.end(Signal::KILL);
    std::fs::write(&file, edited)?;
    stack.vault.start_enclave()?;
    let began = Instant::now();
    while !stack.vault.enclave.ended() {
        if began.elapsed() > Duration::from_secs(20) {
            return Ok(Finding::leak("the enclave runs under a policy that nobody approved"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if !String::from_utf8_lossy(&locked(&stack.output)).contains("boot-refused") {
        return Err("the enclave ended, and not because its boot was refused".into());
    }
    std::fs::write(&file, text)?;
    stack.restart().await?;
    Ok(Finding::closed(
        ClosedBy::Signature,
        "the boot is refused until the owners have signed; under the old policy it boots",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_credentials_change_places() {
        let text = "version = 1\n\n[credentials]\npretend-messages = \"a\"\npretend-mail = \"b\"\n";
        let expected = "version = 1\n\n[credentials]\npretend-messages = \"b\"\npretend-mail = \"a\"\n";
        assert_eq!(swapped(text).as_deref(), Some(expected));
        assert_eq!(swapped("version = 1\n"), None);
    }
}
