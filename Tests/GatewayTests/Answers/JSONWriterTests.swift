import Foundation
import Messages
import Testing

@testable import Gateway

@Suite struct JSONWriterTests {
    private func read(_ value: some JSONWritable) throws -> [String: Any] {
        let data = Data(JSONWriter(value).bytes)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func completion(_ text: String, logprobs: CompletionLogprobs? = nil) -> TextCompletion {
        TextCompletion(
            id: "cmpl-1", created: 7, model: text, system_fingerprint: "fp_0",
            choices: [
                .init(index: 0, text: text, logprobs: logprobs), .init(index: 1, text: "", finish_reason: "stop"),
            ],
            usage: Usage(prompt: 2, completion: 3))
    }

    @Test(arguments: [
        "", "plain", "\"quoted\" and \\ back", "\u{0}\u{1}\u{1F}\u{7F}\n\r\t\u{8}\u{C}", "你好，世界 🌊",
        "\u{2028}\u{2029}\u{FEFF}", "e\u{301}\u{20E3}", "</script>", "\u{10FFFF}",
    ]) func `any text comes out as it went in`(_ text: String) throws {
        let read = try read(completion(text))
        let choices = try #require(read["choices"] as? [[String: Any]])
        // By scalars: equal texts may be spelled differently.
        #expect(Array((choices[0]["text"] as? String ?? "-").unicodeScalars) == Array(text.unicodeScalars))
        #expect(Array((read["model"] as? String ?? "-").unicodeScalars) == Array(text.unicodeScalars))
        #expect(choices[0]["finish_reason"] is NSNull && choices[0]["logprobs"] is NSNull)
        #expect(choices[1]["finish_reason"] as? String == "stop")
        let usage = try #require(read["usage"] as? [String: Any])
        #expect(usage["prompt_tokens"] as? Int == 2 && usage["completion_tokens"] as? Int == 3)
        #expect(usage["total_tokens"] as? Int == 5)
        #expect(usage["prompt_tokens_details"] as? [String: Int] == ["cached_tokens": 0] && usage.count == 4)
    }

    @Test func `log-probabilities are written in both forms, and none is infinite`() throws {
        let token = Wire.TokenLogprob(
            id: 1, logprob: -.infinity, bytes: Array("\"a\"".utf8),
            alternatives: [.init(id: 2, logprob: -1.5e-7, bytes: [0xE4, 0xBD])])
        var lists = CompletionLogprobs()
        lists.append([0x41], nil, nil)
        lists.append(token)
        let plain = try read(completion("x", logprobs: lists))
        let choice = try #require((plain["choices"] as? [[String: Any]])?.first)
        let logprobs = try #require(choice["logprobs"] as? [String: Any])
        #expect(logprobs["tokens"] as? [String] == ["A", "\"a\""])
        let values = try #require(logprobs["token_logprobs"] as? [Any])
        #expect(values[0] is NSNull && values[1] as? Double == -9_999)
        let top = try #require(logprobs["top_logprobs"] as? [Any])
        #expect(top[0] is NSNull)
        let alternatives = try #require(top[1] as? [String: Double])
        #expect(alternatives["\"a\""] == -9_999 && abs((alternatives["bytes:\\xe4\\xbd"] ?? 0) + 1.5e-7) < 1e-12)
        #expect(logprobs["text_offset"] as? [Int] == [0, 1])

        let chat = try read(ChatLogprobs([token]))
        let content = try #require((chat["content"] as? [[String: Any]])?.first)
        #expect(content["bytes"] as? [Int] == [34, 97, 34] && content["logprob"] as? Double == -9_999)
        let other = try #require((content["top_logprobs"] as? [[String: Any]])?.first)
        #expect(other["bytes"] as? [Int] == [0xE4, 0xBD] && other["top_logprobs"] == nil)
    }

    @Test func `a chat's chunk has what clients expect in each, and a picture's address`() throws {
        let chunk = try read(
            ChatCompletion(
                id: "c", object: "chat.completion.chunk", created: 1, model: "m", system_fingerprint: "f",
                choices: [.init(index: 2, delta: .init(images: [.init(url: "data:image/png;base64,AA==")]))]))
        #expect(chunk["usage"] == nil && chunk["object"] as? String == "chat.completion.chunk")
        let choice = try #require((chunk["choices"] as? [[String: Any]])?.first)
        #expect(choice["index"] as? Int == 2 && choice["message"] == nil && choice["finish_reason"] is NSNull)
        let delta = try #require(choice["delta"] as? [String: Any])
        let picture = try #require((delta["images"] as? [[String: Any]])?.first)
        #expect(delta.count == 1 && picture["type"] as? String == "image_url")
        #expect(picture["image_url"] as? [String: String] == ["url": "data:image/png;base64,AA=="])
    }
}
