use super::*;

const TERMINAL: Surroundings = Surroundings { can_draw: true, is_terminal: true, colour: true, utf8: true };
const PIPE: Surroundings = Surroundings { can_draw: false, is_terminal: false, colour: true, utf8: true };
const DUMB: Surroundings = Surroundings { can_draw: false, ..TERMINAL };

#[test]
fn the_output_suits_what_it_goes_to() {
    assert_eq!(TERMINAL.choose(None, true), Format::Table);
    assert_eq!(PIPE.choose(None, true), Format::Jsonl);
    assert_eq!(DUMB.choose(None, true), Format::Text);
    assert_eq!(TERMINAL.choose(None, false), Format::Text, "a replay is over at once");
    assert_eq!(PIPE.choose(Some(Format::Table), true), Format::Text);
    assert_eq!(TERMINAL.choose(Some(Format::Json), true), Format::Jsonl);
}

/// Counts calls and fails as told.
struct Failing(Option<io::ErrorKind>, u32);

impl Sink for Failing {
    fn record(&mut self, _: &Record) -> Result<(), SinkError> {
        self.1 += 1;
        self.0.map_or(Ok(()), |kind| Err(SinkError::of_io("test", kind.into())))
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[test]
fn a_broken_sink_does_not_keep_records_from_the_next() {
    let (sender, receiver) = std::sync::mpsc::channel();
    struct Sending(std::sync::mpsc::Sender<()>);
    impl Sink for Sending {
        fn record(&mut self, _: &Record) -> Result<(), SinkError> {
            self.0.send(()).unwrap();
            Ok(())
        }
        fn finish(&mut self) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let broken = Failing(Some(io::ErrorKind::StorageFull), 0);
    let mut both: Vec<Box<dyn Sink>> = vec![Box::new(broken), Box::new(Sending(sender))];
    assert!(matches!(both.record(&samples::health()), Err(SinkError::Full(_))));
    receiver.try_recv().unwrap();
}

#[test]
fn errors_are_told_apart() {
    use io::ErrorKind::{BrokenPipe, PermissionDenied, StorageFull};
    assert!(matches!(SinkError::of_io("x", BrokenPipe.into()), SinkError::ClosedPipe));
    assert!(matches!(SinkError::of_io("x", io::Error::from_raw_os_error(5)), SinkError::ClosedPipe));
    assert!(matches!(SinkError::of_io("x", StorageFull.into()), SinkError::Full(_)));
    assert!(matches!(SinkError::of_io("x", PermissionDenied.into()), SinkError::Io(..)));
}
