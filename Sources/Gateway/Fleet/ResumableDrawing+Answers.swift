import Hummingbird
import NIOCore
import RPC

/// A drawing on its way to a client.
extension ResumableDrawing {
    /// All pictures as they come.
    ///
    /// - Throws: `APIError`.
    func pictures(_ record: RequestRecord) async throws -> [Picture] {
        var drawing = self
        var pictures: [Picture] = []
        do {
            while let update = try await drawing.next() {
                guard let picture = update.picture else { continue }
                record.picture()
                pictures.append(picture)
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return pictures
    }

    /// Each update as it comes. The first is awaited, so that a refusal has its own status.
    ///
    /// - Parameter events: what a client is sent for an update.
    /// - Throws: `APIError`.
    func stream(
        _ record: RequestRecord, _ events: @escaping @Sendable (Update) throws -> [ByteBuffer]
    ) async throws -> Response {
        var begun = self
        let first: Update?
        do {
            first = try await begun.next()
        } catch let error as RPCError {
            throw APIError(error)
        }
        return EventStream.response { [begun] writer in
            var (drawing, update) = (begun, first)
            while let current = update {
                if current.picture != nil { record.picture() }
                let isPicture = current.picture != nil || current.preview != nil
                // Of a picture, in Base64 and JSON, they take up to ten milliseconds.
                let ready =
                    isPicture ? try await offEventLoop { [current] in try events(current) } : try events(current)
                for event in ready { try await writer.write(event) }
                update = try await drawing.next()
            }
        }
    }
}

extension ResumableDrawing.Update {
    /// A line that clients pass over and that keeps the connection awake.
    var comment: ByteBuffer { ByteBuffer(string: ": step \(step) of \(steps)\n\n") }
}
