import Foundation

/// Runs cases of one target in this process, one after the other. Before each it writes the case's number into a file,
/// which is what is left of a crash.
struct FuzzChild {
    var target: String
    var seed: UInt64
    var first: Int
    var count: Int
    /// Eight bytes: the number of the case that runs.
    var progress: String

    /// - Returns: whether all outcomes were as they should be.
    func run() async throws {
        var target = try await Targets.make(self.target)
        let file = open(progress, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(file) }
        let (samples, kind) = (target.samples, target.kind)
        for number in first..<first + count {
            var number64 = Int64(number)
            guard pwrite(file, &number64, 8, 0) == 8 else { throw CocoaError(.fileWriteUnknown) }
            do { try await target.run(input(number, samples, kind)) } catch let finding as FuzzFinding {
                FileHandle.standardError.write(Data("case \(number): \(finding)\n".utf8))
                exit(3)
            } catch {}
        }
        var end = Int64(first + count)
        _ = pwrite(file, &end, 8, 0)
        exit(0)
    }

    /// The first cases are the samples as they are.
    private func input(_ number: Int, _ samples: [[UInt8]], _ kind: SampleKind) -> [UInt8] {
        guard number >= samples.count else { return samples[number] }
        var mutator = Mutator(random: FuzzRandom(seed: seed, target: target, number: number))
        return mutator.mutate(samples, kind)
    }

    /// Prints the bytes of the first case.
    func show() async throws {
        let target = try await Targets.make(self.target)
        FileHandle.standardOutput.write(Data(input(first, target.samples, target.kind)))
        exit(0)
    }
}
