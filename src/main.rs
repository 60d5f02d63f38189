//! The `ghostcast` program: see [`ghostcast::cli`].

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ghostcast: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(ghostcast::cli::run());
    // A thread may hang in a read of standard input; nobody waits for it.
    runtime.shutdown_background();
    code
}
