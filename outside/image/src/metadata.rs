//! The metadata section: JSON, in the shape that `nitro-cli describe-eif` reads. It is not measured, and nobody vouches for it.

use serde_json::{Value, json};

/// The moment that every image was built at: the format wants one, and a true one would make two builds of the same bytes differ.
const BUILD_TIME: &str = "1970-01-01T00:00:01Z";

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What built it, and that one's version.
    pub tool: String,
    /// The kernel's version.
    pub kernel: String,
}

impl Metadata {
    /// Of an image of ours, by its kernel's version.
    pub(crate) fn ours(kernel: &str) -> Self {
        Self {
            name: "adyton".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            tool: format!("adyton {}", env!("CARGO_PKG_VERSION")),
            kernel: kernel.into(),
        }
    }

    /// Reads a metadata section; `None` if it has another shape.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(section).ok()?;
        let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
        let build = value.get("BuildMetadata")?;
        // Its reader wants all of them, if only as null.
        let whole = ["DockerInfo", "CustomMetadata"].iter().all(|name| value.get(name).is_some());
        let timed = ["BuildTime", "OperatingSystem"].iter().all(|name| text(build, name).is_some());
        (whole && timed).then_some(Self {
            name: text(&value, "ImageName")?,
            version: text(&value, "ImageVersion")?,
            tool: format!("{} {}", text(build, "BuildTool")?, text(build, "BuildToolVersion")?),
            kernel: text(build, "KernelVersion")?,
        })
    }

    /// Writes it.
    pub(crate) fn write(&self) -> Vec<u8> {
        let (tool, tool_version) = self.tool.rsplit_once(' ').unwrap_or((&self.tool, ""));
        // Keys come out in the alphabet's order.
        json!({
            "ImageName": self.name,
            "ImageVersion": self.version,
            "BuildMetadata": {
                "BuildTime": BUILD_TIME,
                "BuildTool": tool,
                "BuildToolVersion": tool_version,
                "OperatingSystem": "Linux",
                "KernelVersion": self.kernel,
            },
            "DockerInfo": {},
            "CustomMetadata": null,
        })
        .to_string()
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn is_written_and_read_with_every_member_its_reader_wants() {
        let metadata = Metadata::ours("6.12.1");
        let written = metadata.write();
        assert_eq!(Metadata::parse(&written).unwrap(), metadata);
        let value: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(value["BuildMetadata"]["BuildTime"], BUILD_TIME);
        for member in value.as_object().unwrap().keys() {
            let mut without = value.clone();
            without.as_object_mut().unwrap().remove(member);
            assert_eq!(Metadata::parse(without.to_string().as_bytes()), None, "{member}");
        }
        for member in value["BuildMetadata"].as_object().unwrap().keys() {
            let mut without = value.clone();
            without["BuildMetadata"].as_object_mut().unwrap().remove(member);
            assert_eq!(Metadata::parse(without.to_string().as_bytes()), None, "{member}");
        }
        assert_eq!(Metadata::parse(b"{"), None);
    }
}
