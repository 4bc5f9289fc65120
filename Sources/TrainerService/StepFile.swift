import Foundation
import Training

/// The steps that a job has made, a line each: whoever takes the job on tells of them all again.
struct StepFile {
    private let path: String
    private(set) var steps: [FineTuning.Step]
    private let handle: FileHandle

    /// OpenAI's number of checkpoints.
    private static let keptEpochs = 3

    private static let encoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return encoder
    }()

    /// Keeps the steps up to the one from which the run goes on: those behind it are made again.
    ///
    /// - Throws: where the file cannot be written.
    init(in directory: String, upTo last: Int) throws {
        path = directory + "/steps.jsonl"
        let lines = ((try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()).split(separator: 10)
        steps = lines.compactMap { try? JSONDecoder().decode(FineTuning.Step.self, from: $0) }.filter {
            $0.step <= last
        }
        var kept = Data()
        for step in steps { kept += try Self.encoder.encode(step) + [10] }
        try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
        handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
    }

    mutating func append(_ step: FineTuning.Step) throws {
        steps.append(step)
        try handle.write(contentsOf: try Self.encoder.encode(step) + [10])
        if step.kept != nil { removeOld() }
    }

    /// Adapters of all but the latest epochs go.
    private func removeOld() {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        for name in steps.compactMap(\.kept).dropLast(Self.keptEpochs) {
            try? FileManager.default.removeItem(at: directory.appendingPathComponent(name))
        }
    }
}
