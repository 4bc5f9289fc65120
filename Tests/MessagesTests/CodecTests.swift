import Messages
import Testing

@Suite struct CodecTests {
    private static var examples: [FrameHeader] {
        var start = CallStart(method: "nephele.v1.Echo/Echo", creditMessages: 3, creditBytes: 1 << 40)
        start.timeout = .microseconds(1_234_567)
        start.metadata = ["k": "雲", "empty": ""]
        start.instanceID = "instance"
        start.numericsID = ""
        start.attachmentSizes = [0, 1, 64 << 20]
        var end = CallEnd(code: 8)
        end.message = "full\u{0}of NUL"
        end.reason = "reason"
        end.field = "field"
        end.retryAfter = .milliseconds(1500)
        end.notStarted = true
        end.hasMessage = true
        end.attachmentSizes = [5]
        var load = LoadReport()
        load.outstanding = 5
        load.capacity = 2
        load.stepAge = .zero
        load.slowestStep = .seconds(3)
        load.isDraining = true
        load.expectedWait = .milliseconds(1_500)
        load.cancelledCalls = 9
        var engine = EngineLoad()
        (engine.running, engine.waiting, engine.cachePages, engine.heldPages) = (3, 1, 64, 48)
        (engine.prefixQueries, engine.prefixHits, engine.preemptions) = (1_000, 416, 2)
        load.engine = engine
        return [
            FrameHeader(call: 1, .call(start)), FrameHeader(call: .max, sequence: .max, .message(attachmentSizes: [7])),
            FrameHeader(call: 2, sequence: 3, .chunk(attachment: 1, offset: 1 << 33)), FrameHeader(call: 2, .end(end)),
            FrameHeader(call: 2, .end(CallEnd(code: 0))), FrameHeader(call: 2, .cancel(reason: "deadline")),
            FrameHeader(.credit(messages: 0, bytes: 99)), FrameHeader(.ping(.max)), FrameHeader(.pong(7, load)),
            FrameHeader(.goAway(reason: "")),
        ]
    }

    @Test("every header survives its encoding", arguments: examples)
    func survives(_ header: FrameHeader) throws {
        #expect(try FrameHeader(decoding: header.encoded()) == header)
    }

    @Test("a header cut anywhere, or with any bit turned, is refused or another header, never a crash")
    func mutilated() {
        for header in Self.examples {
            let bytes = header.encoded()
            for count in bytes.indices { _ = try? FrameHeader(decoding: Array(bytes.prefix(count))) }
            for bit in 0..<(bytes.count * 8) {
                var mutated = bytes
                mutated[bit / 8] ^= 1 << (bit % 8)
                _ = try? FrameHeader(decoding: mutated)
            }
        }
        #expect(throws: MessageError.self) { try FrameHeader(decoding: []) }
        #expect(throws: MessageError.self) { try FrameHeader(decoding: [0xff]) }
    }

    @Test("descriptions keep their models")
    func description() throws {
        var description = ServiceDescription(service: "text-model")
        var model = ModelDescription(name: "nephele-verse")
        model.contextLength = 4096
        model.numericsID = "abc"
        var adapter = ModelDescription(name: "b")
        adapter.parent = "nephele-verse"
        description.models = [model, adapter]
        description.shard = 1
        description.shardCount = 2
        description.layers = 12..<24
        description.metadata = [0, 255]
        #expect(try ServiceDescription(decoding: description.encoded()) == description)
    }

    @Test("an adapter's messages survive their encoding")
    func adapters() throws {
        var request = Wire.GenerateRequest(model: "m", prompt: [1, 2], maxTokens: 3, seed: 4)
        #expect(try Wire.GenerateRequest(decoding: request.encoded()) == request)
        request.adapter = "詩"
        #expect(try Wire.GenerateRequest(decoding: request.encoded()).adapter == "詩")
        let load = Wire.LoadAdapterRequest(model: "", name: "詩", path: "a/b")
        #expect(try Wire.LoadAdapterRequest(decoding: load.encoded()) == load)
        let reply = Wire.LoadAdapterReply(model: "m", contentID: "0123", size: 1 << 40, wasLoaded: true)
        #expect(try Wire.LoadAdapterReply(decoding: reply.encoded()) == reply)
        let unload = Wire.UnloadAdapterRequest(model: "m", name: "詩")
        #expect(try Wire.UnloadAdapterRequest(decoding: unload.encoded()) == unload)
    }

    @Test("what a call that is made again says survives its encoding")
    func resume() throws {
        var request = Wire.GenerateRequest(model: "m", prompt: [1, 2], maxTokens: 3, seed: 4)
        request.resume = [
            Wire.ChoiceResume(choice: 1, ids: [5, -1, .max], textBytes: 1 << 40, logprobs: 3),
            Wire.ChoiceResume(choice: 0, isFinished: true),
        ]
        request.crashesWithoutProgress = 2
        request.greenList = Wire.GreenList(key: [0, 255, 7], share: 16_384, delta: 2.5, contextWidth: 4)
        #expect(try Wire.GenerateRequest(decoding: request.encoded()) == request)
        var delta = Wire.GenerateDelta(choice: 0, text: "", textOffset: 1 << 40)
        delta.isStart = true
        #expect(try Wire.GenerateDelta(decoding: delta.encoded()) == delta)
        var drawing = Wire.DrawRequest(model: "m", prompt: "p", seeds: [1])
        (drawing.resumes, drawing.crashesWithoutProgress) = (true, 1)
        #expect(try Wire.DrawRequest(decoding: drawing.encoded()) == drawing)
        var update = Wire.DrawUpdate(step: 3, steps: 9)
        (update.isCheckpoint, update.isStart) = (true, true)
        #expect(try Wire.DrawUpdate(decoding: update.encoded()) == update)
        drawing.partialImages = 3
        #expect(try Wire.DrawRequest(decoding: drawing.encoded()) == drawing)
        update.preview = Wire.DrawPreview(picture: 4, index: 2, width: 1_024, height: 32)
        #expect(try Wire.DrawUpdate(decoding: update.encoded()) == update)
    }

    @Test("embeddings survive their encoding, and an attachment of another size is refused")
    func embeddings() throws {
        var request = Wire.EmbedRequest(model: "m", inputs: [[1, -2], [], [.max]])
        #expect(try Wire.EmbedRequest(decoding: request.encoded()) == request)
        (request.adapter, request.tokenizerHash, request.dimensions) = ("詩", "hash", 0)
        request.crashesWithoutProgress = 1
        #expect(try Wire.EmbedRequest(decoding: request.encoded()) == request)
        let reply = Wire.EmbedReply(width: 3),
            values: [[Float]] = [[1, -0.5, .leastNonzeroMagnitude], [0, -0, .infinity]]
        #expect(try Wire.EmbedReply(decoding: reply.encoded()) == reply)
        let bytes = Attachment(floats: values)
        #expect(try reply.embeddings([bytes], inputs: 2) == values)
        #expect(Array(bytes.array.prefix(8)) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF])
        for (width, inputs, attachments) in [(3, 1, [bytes]), (2, 2, [bytes]), (3, 2, []), (0, 0, [Attachment([])])] {
            #expect(throws: MessageError.self) {
                try Wire.EmbedReply(width: width).embeddings(attachments, inputs: inputs)
            }
        }
    }

    @Test("text that is not UTF-8 is refused")
    func notUTF8() {
        // ServiceDescription.service = 0xff
        #expect(throws: MessageError.self) { try ServiceDescription(decoding: [0x12, 1, 0xff]) }
    }

    @Test("a small message cannot claim much memory")
    func expansion() {
        // ServiceDescription with 2 million empty models, 2 bytes each: about 100 bytes of C struct apiece.
        let bytes = [UInt8](repeating: 0, count: 4 << 20).indices.map { UInt8($0 % 2 == 0 ? 0x1a : 0) }
        #expect(throws: MessageError.self) { try ServiceDescription(decoding: bytes) }
    }

    @Test("methods come from protobuf-c's service descriptors")
    func methods() {
        #expect(Wire.Echo.count.path == "nephele.v1.Echo/Count")
        #expect(Wire.Echo.service.methods.map(\.name) == ["Echo", "EchoLater", "Count"])
        #expect(Bus.service.methods.map(\.reply) == ["nephele.v1.ServiceDescription", "nephele.v1.HealthReply"])
    }

    @Test("attachments are aligned and come back as they were written")
    func attachments() {
        let attachment = Attachment([1, 2, 3, 4])
        attachment.withUnsafeBytes { #expect(Int(bitPattern: $0.baseAddress) % Attachment.alignment == 0) }
        #expect(attachment.withSpan(1..<3) { [UInt8](copying: $0) } == [2, 3])
        #expect(Attachment(count: 0).array == [])
    }
}

@Suite struct WireFormatTests {
    @Test("the documented example is what is sent")
    func example() {
        let start = CallStart(method: Wire.Echo.echo.path, creditMessages: 256, creditBytes: 1 << 20)
        let method: [UInt8] = [0x0a, 0x14] + Array("nephele.v1.Echo/Echo".utf8)
        let call: [UInt8] =
            [8, 1, 0x10, 1, 0x18, 5, 0x2a, 0x16] + method + [0x50, 0x80, 2, 0x58, 0x80, 0x80, 0x40]
        #expect(FrameHeader(call: 5, .call(start)).encoded() == call)
        var end = CallEnd(code: 0)
        end.hasMessage = true
        #expect(FrameHeader(call: 5, .end(end)).encoded() == [8, 1, 0x10, 4, 0x18, 5, 0x32, 4, 8, 0, 0x38, 1])
        #expect(Wire.EchoRequest(payload: [0x68, 0x69]).encoded() == [0x0a, 2, 0x68, 0x69])
    }
}
