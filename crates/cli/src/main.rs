//! The binary `alluvium`: the command line with the plugins that ship.

/// Operations of networks free and request tensors of megabytes again and again. The system's allocator gives such memory back to
/// the system each time, which took a third of the time of an epoch.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    alluvium_cli::main()
}
