import DiffusionModels
package import ModelServing
import RPC
package import Tensors

/// Loads revisions of a diffusion model from its directory: the first one, and those that replace it.
package struct DiffusionRevisionLoader: Sendable {
    private let name: String
    private let device: Device
    private let room: MemoryRoom
    private let largestSide: Int?
    private let directory: @Sendable () throws -> String

    /// - Parameters:
    ///   - name: the model's, as requests give it.
    ///   - largestSide: pixels of a side of a picture, at most; nil for twice what the model was made for.
    ///   - directory: where its pipeline is; asked each time.
    package init(
        name: String, on device: Device, room: MemoryRoom = .unknown, largestSide: Int? = nil,
        directory: @escaping @Sendable () throws -> String
    ) {
        (self.name, self.device, self.room, self.directory) = (name, device, room, directory)
        self.largestSide = largestSide
    }

    /// - Throws: what is wrong with the files.
    package func first() throws -> DiffusionRevision { try revision(directory()) }

    private func revision(_ directory: String) throws -> DiffusionRevision {
        let pipeline = try DiffusionPipeline(directory: directory, device: device, largestSide: largestSide)
        return DiffusionRevision(
            name: name, numericsID: try PictureNumericsID.compute(directory: directory), pipeline: pipeline)
    }

    /// Loads what is at the model's place now.
    ///
    /// - Returns: nil when that is what is served.
    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when it does not fit beside what is served, FAILED_PRECONDITION that says
    ///   what is wrong with the files.
    package func next(after current: DiffusionRevision) throws -> DiffusionRevision? {
        do {
            let directory = try directory()
            guard try PictureNumericsID.compute(directory: directory) != current.numericsID else { return nil }
            try room.require(
                PictureNumericsID.weightsSize(directory: directory), for: "a new revision of \"\(name)\"")
            return try revision(directory)
        } catch let error as RPCError {
            throw error
        } catch let error as DiffusionError where error.code == .outOfMemory {
            throw RPCError(.resourceExhausted, error.message, reason: "insufficient_memory")
        } catch let error as DiffusionError {
            throw RPCError(.failedPrecondition, error.message, reason: "invalid_checkpoint")
        } catch {
            throw RPCError(.failedPrecondition, "\(error)", reason: "invalid_checkpoint")
        }
    }
}
