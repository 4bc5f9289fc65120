/// The first part of every frame. `Sources/RPC/RPC.docc` describes the bytes and who may send what when.
package struct FrameHeader: BusMessage {
    package static let version: UInt32 = 1

    /// The call it belongs to; 0 is the connection itself.
    package var call: UInt64
    /// Counts CALL, MESSAGE, CHUNK and END of one call in one direction, from 0.
    package var sequence: UInt32
    package var content: Content

    package init(call: UInt64 = 0, sequence: UInt32 = 0, _ content: Content) {
        self.call = call
        self.sequence = sequence
        self.content = content
    }

    /// What is large lies elsewhere (`indirect`): a content is handed on many times.
    package enum Content: Sendable, Equatable {
        /// Client to server; the body is the request.
        indirect case call(CallStart)
        /// Server to client; the body is one message of the reply.
        case message(attachmentSizes: [Int])
        /// The body is the next piece of the message's attachments.
        case chunk(attachment: Int, offset: Int)
        /// The last frame of a call; the body may be the last message.
        indirect case end(CallEnd)
        indirect case cancel(reason: String)
        /// What the peer may send more: of `call`, or of chunks if `call` is 0.
        case credit(messages: Int, bytes: Int)
        case ping(UInt64)
        indirect case pong(UInt64, LoadReport)
        /// No new calls please; running ones will be finished.
        indirect case goAway(reason: String)
    }

    package static let codec = MessageCodec(Self.self)
}

/// How a call begins.
package struct CallStart: Sendable, Equatable {
    package var method: String
    /// Time left until the deadline.
    package var timeout: Duration?
    package var metadata = Metadata()
    /// The instance that the call is meant for; another one refuses it.
    package var instanceID: String?
    /// Weights and kernels that the call is meant for.
    package var numericsID: String?
    package var attachmentSizes: [Int] = []
    /// What the server may send before it is given more.
    package var creditMessages: Int
    package var creditBytes: Int

    /// Whether all calls of the method to one instance begin so, but for their time left.
    package var isPlain: Bool { metadata.entries.isEmpty && numericsID == nil && attachmentSizes.isEmpty }

    package init(method: String, creditMessages: Int, creditBytes: Int) {
        self.method = method
        self.creditMessages = creditMessages
        self.creditBytes = creditBytes
    }
}

/// How a call ends.
package struct CallEnd: Sendable, Equatable {
    /// gRPC's status code.
    package var code: UInt32
    package var message = ""
    package var reason = ""
    package var field = ""
    package var retryAfter: Duration?
    package var notStarted = false
    /// The frame's body is the last message of the reply.
    package var hasMessage = false
    package var attachmentSizes: [Int] = []

    /// Whether the call went well and what there is to say stands in the body.
    package var isPlain: Bool {
        code == 0 && message.isEmpty && reason.isEmpty && field.isEmpty && retryAfter == nil && !notStarted
            && attachmentSizes.isEmpty
    }

    package init(code: UInt32) {
        self.code = code
    }
}
