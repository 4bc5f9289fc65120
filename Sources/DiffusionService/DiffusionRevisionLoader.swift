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
    private let unload: Unload?
    private let directory: @Sendable () throws -> String

    /// - Parameters:
    ///   - name: the model's, as requests give it.
    ///   - largestSide: pixels of a side of a picture, at most; nil for twice what the model was made for.
    ///   - unload: when the model is let go; nil for never.
    ///   - directory: where its pipeline is; asked each time.
    package init(
        name: String, on device: Device, room: MemoryRoom = .unknown, largestSide: Int? = nil,
        unload: Unload? = nil, directory: @escaping @Sendable () throws -> String
    ) {
        (self.name, self.device, self.room, self.directory) = (name, device, room, directory)
        (self.largestSide, self.unload) = (largestSide, unload)
    }

    /// When a model is let go.
    package struct Unload: Sendable {
        /// For how long nobody has drawn then.
        package var after: Duration
        /// Whether it goes as soon as it has been looked at.
        package var startsAway = false
        /// When it may be loaded again.
        package var turns = LoadTurns(file: nil)
        /// Is told when it goes (true) and comes back (false).
        package var told: @Sendable (_ isUnloaded: Bool) -> Void = { _ in }

        package init(after: Duration) { self.after = after }
    }

    /// - Throws: what is wrong with the files.
    package func first() throws -> DiffusionRevision { try revision(directory()) }

    private func revision(_ directory: String) throws -> DiffusionRevision {
        let pipeline = try DiffusionPipeline(directory: directory, device: device, largestSide: largestSide)
        let id = try PictureNumericsID.compute(directory: directory)
        guard let unload else { return DiffusionRevision(name: name, numericsID: id, pipeline: pipeline) }
        let resident = try ResidentPipeline(
            pipeline,
            unload: .init(
                after: unload.after, startsAway: unload.startsAway, load: { try again(id, unload) }, told: unload.told))
        return DiffusionRevision(name: name, numericsID: id, resident: resident)
    }

    /// Loads a revision that was let go, on a thread of its own.
    ///
    /// - Throws: `RPCError`: UNAVAILABLE when what is at the model's place now is another revision, RESOURCE_EXHAUSTED
    ///   when there is no room for it.
    private func again(_ id: String, _ unload: Unload) throws -> DiffusionPipeline {
        try naming {
            let turn = try unload.turns.take()
            defer { turn.end() }
            let directory = try directory()
            guard try PictureNumericsID.compute(directory: directory) == id else { throw RPCError.stale(name) }
            try room.require(
                PictureNumericsID.weightsSize(directory: directory), for: "\"\(name)\", which was unloaded,")
            return try DiffusionPipeline(directory: directory, device: device, largestSide: largestSide)
        }
    }

    /// Loads what is at the model's place now.
    ///
    /// - Returns: nil when that is what is served.
    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when it does not fit beside what is served, FAILED_PRECONDITION that says
    ///   what is wrong with the files.
    package func next(after current: DiffusionRevision) throws -> DiffusionRevision? {
        try naming {
            let directory = try directory()
            guard try PictureNumericsID.compute(directory: directory) != current.numericsID else { return nil }
            try room.require(
                PictureNumericsID.weightsSize(directory: directory), for: "a new revision of \"\(name)\"")
            return try revision(directory)
        }
    }

    /// What keeps a revision from being loaded, as it crosses the wire.
    private func naming<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as RPCError {
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
