import Foundation
import Messages
import Testing

@Suite struct WireGoldenTests {
    /// What the hand-written codec of 30 November 2026 made of ``WireExamples``, a message a line, in hex.
    private func goldens() throws -> [String] {
        let file = try #require(Bundle.module.url(forResource: "wire", withExtension: "txt", subdirectory: "Goldens"))
        return try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n").dropLast()
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private func survives<Message: BusMessage>(_ message: Message) throws -> Bool {
        try Message(decoding: message.encoded()) == message
    }

    @Test func `every message has the bytes that it always had, and survives them`() throws {
        let goldens = try goldens()
        try #require(goldens.count == WireExamples.messages.count)
        for (message, golden) in zip(WireExamples.messages, goldens) {
            #expect(hex(message.encoded()) == golden, "\(type(of: message))")
            #expect(try survives(message), "\(type(of: message))")
        }
    }

    @Test func `what was added since then survives too`() throws {
        var generate = Wire.GenerateRequest(model: "m", prompt: [1], maxTokens: 3, seed: .max)
        generate.thoughtLimit = Wire.ThoughtLimit(
            opening: "<t>", closing: "</t>", ending: "</t>\n", tokens: 9, isOpen: true)
        var delta = Wire.GenerateDelta(choice: 1, index: 0, tokens: [3], text: "a")
        (delta.cachedTokens, delta.stopSequence) = (64, "停")
        #expect(try survives(generate) && survives(delta))
        #expect(try survives(Wire.EncodeRequest(model: "m", text: "a", addSpecialTokens: true, suffix: "")))
        let call = Wire.ChatMessage(role: "assistant", content: "", members: #"{"content":null,"tool_calls":[]}"#)
        #expect(
            try survives(
                Wire.RenderChatRequest(
                    model: "m", messages: [call], addGenerationPrompt: false, tools: "[]",
                    documents: #"[{"text":"明月"}]"#, variables: "{\"a\u{0}\":1}", continueFinalMessage: true)))
        #expect(try survives(Wire.ChatFormRequest(model: "m")) && survives(Wire.ChatForm()))
        #expect(
            try survives(
                Wire.ChatForm(
                    source: "{{ messages }}", variables: ["tools", "é"], takesTools: true, takesToolCalls: true,
                    takesToolResults: true)))
        #expect(try survives(Wire.TokensReply(ids: [1], tokenizerHash: "0123", opening: "<think>\n")))
    }

    @Test func `a message without what it needs is refused`() throws {
        let load = LoadReport().encoded()
        // HealthReply: state 9; no state; no load.
        for bytes in [[8, 9, 0x12, UInt8(load.count)] + load, [0x12, UInt8(load.count)] + load, [8, 2]] {
            #expect(throws: MessageError.self) { try HealthReply(decoding: bytes) }
        }
        // TokenLogprob with one alternative and no log-probability of it
        #expect(throws: MessageError.self) { try Wire.TokenLogprob(decoding: [0x1a, 1, 5]) }
        // A count that no Int holds
        #expect(throws: MessageError.self) {
            try Wire.CountRequest(decoding: [8] + [UInt8](repeating: 0xff, count: 9) + [1])
        }
    }

    @Test func `a capacity is at least 1`() throws {
        // LoadReport.capacity and ServiceDescription.capacity, 0
        #expect(try LoadReport(decoding: [0x10, 0]).capacity == 1)
        #expect(try ServiceDescription(decoding: [0x40, 0]).capacity == 1)
        #expect(try ServiceDescription(decoding: []).capacity == 1)
    }

    @Test func `an empty message has the defaults that its declaration says`() throws {
        let request = try Wire.GenerateRequest(decoding: [])
        #expect(request == Wire.GenerateRequest())
        #expect(request.n == 1 && request.temperature == 1 && request.topP == 1 && request.repetitionPenalty == 1)
    }
}
