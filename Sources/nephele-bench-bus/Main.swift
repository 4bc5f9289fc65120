internal import Benchmarks
internal import Foundation

/// `nephele-bench-bus [--json]`; with the hidden argument, the process on the other side.
@main
struct Main {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == BusBenchmark.serverArgument {
            try BusBenchmark.serve(Array(arguments.dropFirst()))
            return
        }
        let comparisons = try await BusBenchmark.run(
            executable: URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath())
        print(arguments.contains("--json") ? try BusBenchmark.json(comparisons) : BusBenchmark.table(comparisons))
    }
}
