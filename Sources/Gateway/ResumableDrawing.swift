import Messages
import RPC

/// One call to the diffusion services that outlives the instances it runs on.
///
/// Every now and then the instance sends a checkpoint, of which the latest is kept. When the instance is lost, the call
/// is made again on another one with the same numerics id and goes on from there, to the same picture, bit by bit.
struct ResumableDrawing: Sendable {
    /// A finished picture and its PNG file.
    struct Picture: Sendable {
        var drawn: Wire.DrawnPicture
        var file: Attachment
    }

    /// A picture as it is foreseen, and its PNG file.
    struct Preview: Sendable {
        var drawn: Wire.DrawPreview
        var file: Attachment
    }

    struct Update: Sendable {
        var step: UInt32
        var steps: UInt32
        var picture: Picture?
        var preview: Preview?
    }

    let request: Wire.DrawRequest
    private var numericsID: String
    private var attempts: CallAttempts
    private var stream: ReplyStream<Wire.DrawUpdate>?
    private var checkpoint: Attachment?
    /// Steps that the reader knows of.
    private var step: UInt32 = 0
    private var pictures: Set<UInt32> = []
    /// Of each picture, how many previews the reader has.
    private var previews: [UInt32: UInt32] = [:]
    private var losses = CallLosses()
    private let labeller: PictureLabeller?

    init(
        _ request: Wire.DrawRequest, numericsID: String, _ attempts: CallAttempts, labeller: PictureLabeller? = nil
    ) {
        (self.request, self.numericsID, self.attempts) = (request, numericsID, attempts)
        self.labeller = labeller
    }

    /// The next update, `nil` after the last one; each step, preview and picture once, whatever happens to instances.
    ///
    /// - Throws: `RPCError`: what the service refuses, DEADLINE_EXCEEDED, CANCELLED, or that the call was lost too often.
    mutating func next() async throws -> Update? {
        while true {
            do {
                if stream == nil { try await dispatch() }
                guard let reply = try await stream?.next() else { return nil }
                if let update = try await accept(reply) { return update }
            } catch {
                if pictures.count == request.seeds.count { return nil }
                try await recover(from: RPCError(converting: error))
            }
        }
    }

    private mutating func dispatch() async throws {
        if step == 0 { numericsID = try await attempts.numericsIDAtHand(numericsID) }
        var call = request
        call.resumes = checkpoint != nil
        call.crashesWithoutProgress = losses.count
        var options: CallOptions
        if step > 0 {
            options = try attempts.optionsUnderWay(numericsID: numericsID)
        } else {
            options = try attempts.options(numericsID: numericsID)
            // Where nothing binds the call to the id, others are looked at soon.
            options.readyTimeout = min(options.readyTimeout, .seconds(1))
        }
        options.attachments = checkpoint.map { [$0] } ?? []
        options.cost = max(1, Int(request.steps ?? 50) * request.seeds.count)
        stream = try await attempts.client.stream(Wire.Diffusion.draw, call, options)
        losses.dispatched()
    }

    /// - Returns: nil for what was told before, or is not for the client.
    /// - Throws: `RPCError` for a picture that cannot be labelled.
    private mutating func accept(_ reply: ClientReply<Wire.DrawUpdate>) async throws -> Update? {
        let message = reply.message
        if message.isStart {
            losses.started()
            return nil
        }
        if message.isCheckpoint {
            if let bytes = reply.attachments.first { checkpoint = bytes }
            losses.progressed()
            return nil
        }
        var update = Update(step: message.step, steps: message.steps)
        if let picture = message.picture, let file = reply.attachments.first {
            guard !pictures.contains(picture.index) else { return nil }
            update.picture = Picture(drawn: picture, file: try await labeller?.label(file, of: picture) ?? file)
            pictures.insert(picture.index)
            losses.progressed()
            return update
        }
        if let preview = message.preview {
            // What a lost instance has sent comes again where its last checkpoint was older.
            guard let file = reply.attachments.first, preview.index == previews[preview.picture, default: 0] else {
                return nil
            }
            update.preview = Preview(drawn: preview, file: try await labelled(file, of: preview, steps: message.steps))
            previews[preview.picture] = preview.index + 1
            return update
        }
        guard message.step > step else { return nil }
        step = message.step
        losses.progressed()
        return update
    }

    /// A preview is generated as its picture is.
    private func labelled(_ file: Attachment, of preview: Wire.DrawPreview, steps: UInt32) async throws -> Attachment {
        guard let labeller, request.seeds.indices.contains(Int(preview.picture)) else { return file }
        var drawn = Wire.DrawnPicture(
            index: preview.picture, seed: request.seeds[Int(preview.picture)], width: preview.width,
            height: preview.height)
        drawn.steps = steps
        return try await labeller.label(file, of: drawn)
    }

    private mutating func recover(from error: RPCError) async throws {
        let instance = stream?.instanceID
        stream = nil
        switch try attempts.outcome(of: error) {
        case .failed: throw error
        case .refused: try await attempts.refused(error, by: instance, isUnderWay: step > 0)
        case .lost: try attempts.lost(&losses)
        }
    }
}
