import Foundation
import RPC

/// Where jobs lie: in the folder in which text-models find adapters, so that what was trained can be loaded. All trainers
/// share it: what one has begun another goes on with.
struct TrainerFolder: Sendable {
    /// The jobs' directories, within the folder.
    static let jobs = "fine-tuning"

    private let path: String

    init(_ path: String) { self.path = path }

    /// Within the folder, as text-models are told.
    ///
    /// - Throws: `RPCError` INVALID_ARGUMENT for an id that is no plain name.
    func place(of job: String) throws(RPCError) -> String {
        let isPlain = job.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || (byte < 128 && Character(Unicode.Scalar(byte)).isLetter)
                || (48...57).contains(byte)
        }
        guard (1...100).contains(job.utf8.count), isPlain else {
            throw RPCError(.invalidArgument, "a job's id has 1 to 100 letters, digits, - and _", field: "job")
        }
        return Self.jobs + "/" + job
    }

    func directory(of job: String) throws(RPCError) -> String { path + "/" + (try place(of: job)) }

    /// An adapter's directory; what leads out of the folder is not there.
    func directory(ofAdapter place: String) throws(RPCError) -> String {
        let root = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let directory = URL(fileURLWithPath: path + "/" + place).resolvingSymlinksInPath().standardizedFileURL.path
        guard !place.utf8.contains(0), directory.hasPrefix(root + "/"),
            FileManager.default.fileExists(atPath: directory + "/adapter_config.json")
        else {
            throw RPCError(
                .failedPrecondition,
                "there is no adapter at \"\(place.prefix(200))\" in the trainer's --adapter-folder; trainers and text-models "
                    + "need the same one", reason: "adapter_not_found", field: "starting_adapter")
        }
        return directory
    }

    static func samples(isHeldOut: Bool) -> String { isHeldOut ? "held-out.jsonl" : "samples.jsonl" }

    /// - Returns: bytes that the file has now.
    /// - Throws: `RPCError` that says what cannot be written, or that pieces before this one are missing.
    func store(_ bytes: [UInt8], at offset: Int, isHeldOut: Bool, of job: String) throws(RPCError) -> Int {
        let directory = try directory(of: job), file = directory + "/" + Self.samples(isHeldOut: isHeldOut)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            if offset == 0 {
                try Data(bytes).write(to: URL(fileURLWithPath: file))
                return bytes.count
            }
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
            defer { try? handle.close() }
            let size = Int(try handle.seekToEnd())
            guard offset <= size else {
                throw RPCError(
                    .failedPrecondition,
                    "the piece begins at \(offset); the trainer's file has \(size) bytes: trainers need "
                        + "one --adapter-folder in common", reason: "samples_missing")
            }
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: Data(bytes))
            return max(size, offset + bytes.count)
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(.unavailable, "cannot write samples to \(directory): \(error.localizedDescription)")
        }
    }

    /// - Throws: `RPCError` FAILED_PRECONDITION, `samples_missing`, where the file has not that size.
    func checkSamples(isHeldOut: Bool, of job: String, size: Int) throws(RPCError) {
        let file = try directory(of: job) + "/" + Self.samples(isHeldOut: isHeldOut)
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        guard (attributes?[.size] as? NSNumber)?.intValue == size else {
            throw RPCError(
                .failedPrecondition, "\(file) is not there as it should be", reason: "samples_missing")
        }
    }
}
