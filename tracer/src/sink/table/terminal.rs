//! Taking the terminal over and giving it back.

use std::{
    io::{self, IsTerminal},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use ratatui_crossterm::crossterm::{
    cursor, execute,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex};

/// How long a terminal may take to leave our screen.
const ABANDON_LIMIT: Duration = Duration::from_millis(200);

/// Whether one lives.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal is ours while this lives.
#[derive(Debug)]
pub struct TakenTerminal {
    is_taken: bool,
}

impl TakenTerminal {
    /// Alternate screen, no cursor, keys one by one without echo.
    pub fn take() -> io::Result<Self> {
        let taken = Self { is_taken: true };
        TAKEN.store(true, Ordering::Relaxed);
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
        TAKEN.store(false, Ordering::Relaxed);
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

/// Before the process ends without its destructors: the keys at once; the screen, if the terminal takes anything (one that
/// is stopped by Ctrl-S does not).
pub fn abandon() {
    if !TAKEN.load(Ordering::Relaxed) {
        return;
    }
    // There is nobody left to tell an error.
    let _ = terminal::disable_raw_mode();
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(execute!(io::stdout(), LeaveAlternateScreen, cursor::Show).is_ok()));
    let _ = wait.recv_timeout(ABANDON_LIMIT);
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
