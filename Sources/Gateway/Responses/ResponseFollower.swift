import Accounts
import Hummingbird
import JSON
import Messages
import NIOCore

/// Reads a response that some gateway makes, or has made, from what is kept of it.
struct ResponseFollower: Sendable {
    let store: StateDocuments
    let id: String
    let account: Account?
    let clients: ConnectedClients

    /// Between looks at an answer that nothing was added to.
    private static let pause: Duration = .milliseconds(30)

    /// The events of the response as they come, from the one after that number, as long as the client is there.
    func stream(startingAfter: Int, to client: (any Channel)?) -> Response {
        EventStream.response(
            ResponseBody { writer in
                do {
                    var (reader, events) = (Reader(id: id), ResponseEvents(startingAfter: startingAfter))
                    while clients.isPresent(client) {
                        guard let reply = try await store.find(id, of: account, firstEntry: reader.entries),
                            let document = reply.document
                        else { throw store.notFound(id) }
                        let stored = StoredResponse(document)
                        if !reader.hasBegun { try events.begin(stored.response.opening) }
                        reader.hasBegun = true
                        for entry in reply.entries { try events.add(try reader.take(entry), of: reader.items) }
                        let isWhole = !document.isOpen && reader.entries == document.entries
                        if isWhole {
                            let status = stored.response["status"]?.text ?? "failed"
                            if status == "completed" || status == "incomplete" {
                                let end = ResponseObject.Status(rawValue: status) ?? .completed
                                try events.add(reader.items.end(end), of: reader.items)
                            }
                            try events.add("response.\(status)") { $0.response = stored.response }
                        }
                        let bytes = events.take()
                        if bytes.readableBytes > 0 { try await writer.write(bytes) }
                        if isWhole { break }
                        if reply.entries.isEmpty { try await Task.sleep(for: Self.pause) }
                    }
                } catch let error as APIError {
                    try await writer.write(EventStream.event(error.body))
                }
                try await writer.finish(nil)
            })
    }

    /// The response as it stands.
    ///
    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func current() async throws -> (document: Wire.StateDocument, stored: StoredResponse) {
        var reader = Reader(id: id)
        while true {
            guard let reply = try await store.find(id, of: account, firstEntry: reader.entries),
                let document = reply.document
            else { throw store.notFound(id) }
            var stored = StoredResponse(document)
            guard document.isOpen else { return (document, stored) }
            for entry in reply.entries { _ = try reader.take(entry) }
            guard reader.entries >= document.entries || reply.entries.isEmpty else { continue }
            if reader.entries > 0 {
                stored.response = stored.response.setting([
                    ("status", .string("in_progress")), ("output", try JSONValue(encoding: reader.items.items)),
                ])
            }
            return (document, stored)
        }
    }

    /// Makes items of what is kept of an answer's steps.
    struct Reader: Sendable {
        private(set) var entries = 0
        var items: ResponseItems
        var hasBegun = false
        /// What was asked of the text-model, and what it said.
        private(set) var start: Wire.AnswerStart?

        init(id: String) { items = ResponseItems(response: id) }

        /// - Throws: `APIError` for what no gateway has written.
        mutating func take(_ entry: [UInt8]) throws -> [AnswerBlocks.Change] {
            entries += 1
            guard start != nil else {
                start = try WorkLog.decode(Wire.AnswerStart.self, entry)
                return []
            }
            return try WorkLog.decode(Wire.AnswerStep.self, entry).shown.flatMap { items.take(AnswerDelta($0)) }
        }
    }
}

extension JSONValue {
    /// The response as its first events tell it: what a worker wrote later is not known then.
    fileprivate var opening: JSONValue {
        setting([
            ("status", .string("in_progress")), ("output", .array([])), ("usage", .null), ("error", .null),
            ("incomplete_details", .null),
        ])
    }
}
