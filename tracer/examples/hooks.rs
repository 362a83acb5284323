//! Prints where each hook stands on this kernel, then the events of the processes named by pid until Ctrl-C.

use std::time::Instant;

use probetrace::kernel::{Config, Kernel, Ringed, WayChoice};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let way = match args.first().map(String::as_str) {
        Some("--node") => WayChoice::Node,
        Some("--cgroup") => WayChoice::Cgroup,
        _ => WayChoice::Auto,
    };
    let empty = args.iter().any(|arg| arg == "--empty");
    args.retain(|arg| !arg.starts_with("--"));
    let probers = args.iter().map(|pid| pid.parse()).collect::<Result<Vec<u32>, _>>()?;
    let begin = Instant::now();
    let mut kernel = Kernel::start(&Config { probers: probers.clone(), way, empty, ..Config::default() })?;
    eprintln!("ready after {:?}; {}", begin.elapsed(), kernel.way());
    for hook in kernel.hooks() {
        eprintln!("{:<30} {:?}", hook.name, hook.state);
    }
    let Some(mut reader) = kernel.take_reader() else { return Ok(()) };
    if probers.is_empty() {
        eprintln!("{:?}", kernel.losses());
        return Ok(());
    }
    if let Ok(seconds) = std::env::var("SECONDS_TO_RUN") {
        std::thread::sleep(std::time::Duration::from_secs(seconds.parse()?));
        for cost in kernel.costs().iter().filter(|cost| cost.runs > 0) {
            let (runs, each) = (cost.runs, cost.total_ns as f64 / cost.runs as f64);
            eprintln!("{:<30} {runs:>9} runs {each:>8.1} ns", cost.hook);
        }
        eprintln!("{:?}", kernel.losses());
        return Ok(());
    }
    reader.run(|ringed| {
        if let Ringed::Event(event) = ringed {
            eprintln!("{event:?}");
        }
    })?;
    Ok(())
}
