//! `probetrace man [COMMAND]`

use std::io::Write;

use anyhow::bail;

use crate::{
    cli,
    exit::{Exit, Usage},
};

/// Prints the page.
pub fn man(name: Option<&str>) -> anyhow::Result<Exit> {
    std::io::stdout().write_all(&page(name)?)?;
    Ok(Exit::Ok)
}

fn page(name: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut command = cli::command();
    command.build();
    let command = match name {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(below) => below.clone().name(format!("probetrace-{name}")).display_name(format!("probetrace-{name}")),
            None => {
                let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
                bail!(Usage(format!("no command is named `{name}`; there are {}", names.join(", "))));
            }
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_whole_and_of_each_command() {
        let whole = String::from_utf8(page(None).unwrap()).unwrap();
        assert!(whole.contains("Exit codes") && whole.contains("PROBETRACE_CONFIG"), "{whole}");
        for below in cli::command().get_subcommands() {
            let text = String::from_utf8(page(Some(below.get_name())).unwrap()).unwrap();
            assert!(text.contains("Examples:"), "{}", below.get_name());
        }
        assert!(page(Some("nonsense")).unwrap_err().downcast_ref::<Usage>().is_some());
    }
}
