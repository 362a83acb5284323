//! Taking the terminal over and giving it back.

use std::io::{self, IsTerminal};

use ratatui_crossterm::crossterm::{
    cursor, execute,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex};

/// The terminal is ours while this lives.
#[derive(Debug)]
pub struct TakenTerminal {
    is_taken: bool,
}

impl TakenTerminal {
    /// Alternate screen, no cursor, keys one by one without echo.
    pub fn take() -> io::Result<Self> {
        let taken = Self { is_taken: true };
        // Without a keyboard (no /dev/tty) the table lives all the same.
        if terminal::enable_raw_mode().is_ok() && io::stdin().is_terminal() {
            keep_interrupt()?;
        }
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(taken)
    }

    /// As it was before. Again: nothing.
    pub fn give_back(&mut self) -> io::Result<()> {
        if !self.is_taken {
            return Ok(());
        }
        self.is_taken = false;
        let screen = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let keys = terminal::disable_raw_mode();
        screen.and(keys)
    }
}

impl Drop for TakenTerminal {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}

/// Ctrl-C stays a signal, so that it ends the run also while this sink is stuck. Ctrl-Z and Ctrl-\ would leave the
/// terminal in our state: they mean nothing here (termios(3): _POSIX_VDISABLE is 0 on Linux).
fn keep_interrupt() -> io::Result<()> {
    let stdin = io::stdin();
    let mut modes = termios::tcgetattr(&stdin)?;
    modes.local_modes |= LocalModes::ISIG;
    modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
    modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
    Ok(termios::tcsetattr(&stdin, OptionalActions::Now, &modes)?)
}
