//! `adyton image measure`.

use std::path::Path;
use std::process::ExitCode;

use adyton_image::{Eif, Layout, Measurements, Metadata, Section, kernel_version, policy_register};
use adyton_ledger::sha256;
use serde_json::{Value, json};

use super::Error;

/// Prints registers and parts.
pub(super) fn run(file: &Path, image: &Eif, as_json: bool) -> Result<ExitCode, Error> {
    let measured = Measurements::of(image).map_err(|error| format!("{}: {error}", file.display()))?;
    let layout = Layout::of(image);
    let policy = layout.as_ref().ok().map(|layout| policy_register(&layout.policy));
    let kernel = kernel_version(&image.kernel);
    let metadata = Metadata::parse(&image.metadata);
    if as_json {
        let sections = image
            .sections()
            .into_iter()
            .map(|(section, content)| json!({ "section": section.to_string(), "size": content.len() }));
        let metadata = metadata.map(|metadata| {
            let Metadata { name, version, tool, kernel } = metadata;
            json!({ "name": name, "version": version, "tool": tool, "kernel": kernel })
        });
        let answer = json!({
            "pcr0": measured.image.to_string(),
            "pcr1": measured.kernel.to_string(),
            "pcr2": measured.application.to_string(),
            "pcr8": measured.signed.as_ref().map(|(register, _)| register.to_string()),
            "pcr16": policy.map(|register| register.to_string()),
            "certificate_sha256": measured.signed.as_ref().map(|(_, by)| sha256(by.certificate()).to_string()),
            "policy_hash": layout.as_ref().ok().map(|layout| sha256(&layout.policy).to_string()),
            "no_layout": layout.as_ref().err().map(ToString::to_string),
            "command_line": image.command_line,
            "kernel": kernel,
            "metadata": metadata,
            "memory": image.memory,
            "processors": image.processors,
            "sections": sections.collect::<Vec<Value>>(),
        });
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("PCR0   {}  kernel, command line, ramdisks", measured.image);
    println!("PCR1   {}  kernel, command line, ramdisk 1", measured.kernel);
    println!("PCR2   {}  other ramdisks", measured.application);
    match &measured.signed {
        Some((register, by)) => println!("PCR8   {register}  certificate, SHA-256 {}", sha256(by.certificate())),
        None => println!("PCR8   not signed: zeros"),
    }
    match (&policy, &layout) {
        (Some(register), Ok(layout)) => println!("PCR16  {register}  policy, hash {}", sha256(&layout.policy)),
        (_, Err(error)) => println!("PCR16  not known, as this has not a vault's layout: {error}"),
        (None, Ok(_)) => {}
    }
    println!();
    let mut ramdisk = 0;
    for (section, content) in image.sections() {
        let (mut name, size) = (section.to_string(), content.len());
        let words = match section {
            Section::Kernel => {
                kernel.as_ref().map_or_else(|| "not a bzImage".into(), |kernel| format!("Linux {kernel}"))
            }
            Section::CommandLine => image.command_line.clone(),
            Section::Metadata => metadata.as_ref().map_or_else(
                || "of another shape than nitro-cli reads; not measured".into(),
                // Nobody vouches for it: it is printed without what a terminal would obey.
                |m| {
                    format!(
                        "{} {}, made by {}; not measured",
                        m.name.escape_debug(),
                        m.version.escape_debug(),
                        m.tool.escape_debug()
                    )
                },
            ),
            Section::Ramdisk => {
                ramdisk += 1;
                name = format!("ramdisk {ramdisk}");
                String::new()
            }
            Section::Signature => "holds".into(),
        };
        println!("{}", format!("{name:13} {size:>10} bytes  {words}").trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
