import DiffusionModels
import Foundation
import Tensors
import Testing

@Suite struct DiffusionCheckpointTests {
    private let device = Device(threadCount: 2)

    private func job(seeds: [UInt64] = [3, 4], steps: Int = 5) throws -> DiffusionJob {
        let pipeline = try DiffusionPipeline(directory: try golden("tiny"), device: device)
        var request = DiffusionRequest(prompt: "", seeds: seeds)
        request.steps = steps
        return try pipeline.makeJob(request)
    }

    @Test func `a drawing resumed after any step is the same to the bit`() throws {
        var whole = try job()
        var checkpoints = [try whole.checkpoint.bytes]
        while !whole.isFinished {
            _ = try whole.step()
            checkpoints.append(try whole.checkpoint.bytes)
        }
        let expected = try whole.latents().floats.map(\.bitPattern)
        for (step, bytes) in checkpoints.enumerated() {
            var rest = try job()
            try rest.resume(DiffusionCheckpoint(bytes: bytes))
            #expect(rest.completedSteps == step)
            while !rest.isFinished { _ = try rest.step() }
            #expect(try rest.latents().floats.map(\.bitPattern) == expected, "resumed after step \(step)")
        }
    }

    @Test func `a checkpoint of another drawing is refused`() throws {
        let bytes = try job().checkpoint.bytes
        for other in [try job(seeds: [3]), try job(steps: 6)] {
            var other = other
            #expect { try other.resume(DiffusionCheckpoint(bytes: bytes)) } throws: {
                ($0 as? DiffusionError)?.code == .invalidRequest
            }
        }
    }

    @Test func `bytes that are no checkpoint are refused`() throws {
        let bytes = try job(seeds: [3], steps: 2).checkpoint.bytes
        var hostile: [[UInt8]] = [
            [], [1, 2, 3], .init(repeating: 0xFF, count: 32), Array(bytes.dropLast()), bytes + [0],
        ]
        hostile.append(Array(bytes.prefix(32)))
        // Each word of the head: too large, and zero.
        for word in 0..<7 {
            for value in [0, 0xFF] as [UInt8] where word != 1 || value != 0 {
                var changed = bytes
                for byte in 0..<4 { changed[4 * word + byte] = value }
                // As many steps as that may be, of another drawing.
                if word == 2 && value == 0xFF { continue }
                if word == 2 { changed[4] = 1 }
                hostile.append(changed)
            }
        }
        for bytes in hostile {
            #expect { try DiffusionCheckpoint(bytes: bytes) } throws: {
                ($0 as? DiffusionError)?.code == .invalidRequest
            }
        }
    }
}
