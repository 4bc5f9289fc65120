import Crypto
import Foundation
import JSON
import Jinja
import Testing

@testable import Tokenizers

/// Conversations in published templates, against what transformers makes of them; `make_published.py` says how.
@Suite struct PublishedTemplateTests {
    private struct Goldens: Decodable {
        struct Template: Decodable {
            var name: String
            /// The beginning of the SHA-256 of what each conversation becomes; none for those that are refused.
            var texts: [String: String]
        }

        var tokens: [String: String]
        var conversations: [String: String]
        /// By the SHA-256 of the template.
        var templates: [String: Template]
    }

    private static func goldens() throws -> Goldens {
        let file = Bundle.module.bundlePath + "/Goldens/published.json"
        return try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }

    private static func digest(_ bytes: some Sequence<UInt8>) -> String {
        SHA256.hash(data: Array(bytes)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func conversation(_ text: String) throws -> Conversation {
        let json = try JSON.JSONParser.parse(Array(text.utf8))
        guard case .object(let object) = json else { throw CocoaError(.coderInvalidValue) }
        var conversation = Conversation(try (json["messages"]?.elements ?? []).map(message))
        var variables: [(key: String, value: JSON.JSONValue)] = []
        for (name, value) in object.members {
            switch (name, value) {
            case ("messages", _): break
            case ("tools", .array(let tools)): conversation.tools = tools
            case ("documents", .array(let documents)): conversation.documents = documents
            case ("add_generation_prompt", .bool(let adds)): conversation.addGenerationPrompt = adds
            case ("continue_final_message", .bool(let goesOn)): conversation.continuesFinalMessage = goesOn
            default: variables.append((name, value))
            }
        }
        conversation.variables = JSONObject(variables)
        return conversation
    }

    private static func message(_ json: JSON.JSONValue) throws -> ChatMessage {
        guard case .object(let object) = json else { throw CocoaError(.coderInvalidValue) }
        let content: ChatMessage.Content? =
            switch object["content"] {
            case .string(let text)?: .text(text)
            case .array(let parts)?: .parts(parts)
            default: nil
            }
        return ChatMessage(role: object["role"]?.text ?? "", content: content, members: object)
    }

    /// Those whose licences allow it are here; the others are where the variable says.
    private static let folders =
        [Bundle.module.bundlePath + "/Goldens/published"]
        + [ProcessInfo.processInfo.environment["NEPHELE_TEMPLATES"]].compactMap { $0 }

    private static let time = LocalTime(
        year: 2026, month: 7, day: 4, hour: 15, minute: 5, second: 9, weekday: 6, dayOfYear: 185)

    @Test(arguments: folders)
    func `conversations in published templates are whole as transformers has them, or refused`(folder: String) throws {
        let goldens = try Self.goldens()
        let conversations = try goldens.conversations.mapValues(Self.conversation)
        var found = 0
        for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where file.hasSuffix(".jinja")
        {
            let source = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file))
            guard let golden = goldens.templates[Self.digest(source)] else { continue }
            found += 1
            let template = ChatTemplate(.text(String(decoding: source, as: UTF8.self)), variables: goldens.tokens) {
                Self.time
            }
            for (name, conversation) in conversations {
                let wanted = golden.texts[name]?.split(separator: " ").map(String.init) ?? []
                let result = Result { () throws(TokenizerError) in try template.render(conversation) }
                switch result {
                case .success(let text):
                    let hash = String(Self.digest(text.bytes).prefix(12))
                    #expect(wanted.contains(hash), "\(golden.name), \(name): \(text.text)")
                    for range in text.trusted {
                        let own = String(decoding: text.bytes[range], as: UTF8.self)
                        #expect(!own.contains("ψ"), "\(golden.name), \(name) trusts what a user wrote")
                    }
                case .failure(let error): #expect(wanted.isEmpty, "\(golden.name), \(name): \(error)")
                }
            }
        }
        #expect(found >= 20, "\(folder) holds few of the templates that published.json knows")
    }
}
