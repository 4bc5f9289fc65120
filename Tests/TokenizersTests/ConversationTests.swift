import JSON
import Testing

@testable import Tokenizers

/// What a conversation says reaches the template whole, in the form that the template takes, or is refused by name.
@Suite struct ConversationTests {
    private func json(_ text: String) throws -> JSON.JSONValue { try JSON.JSONParser.parse(Array(text.utf8)) }

    private func object(_ text: String) throws -> JSONObject {
        guard case .object(let object) = try json(text) else { return JSONObject([]) }
        return object
    }

    private func message(_ text: String) throws -> ChatMessage {
        let object = try object(text)
        let content: ChatMessage.Content? =
            switch object["content"] {
            case .string(let text)?: .text(text)
            case .array(let parts)?: .parts(parts)
            default: nil
            }
        return ChatMessage(role: object["role"]?.text ?? "", content: content, members: object)
    }

    private func conversation(_ messages: String...) throws -> Conversation {
        Conversation(try messages.map(message))
    }

    private func render(_ template: String, _ conversation: Conversation) throws -> String {
        try ChatTemplate(template, variables: [:]).render(conversation).text
    }

    private static let call = #"""
        {"role": "assistant", "content": null, "tool_calls": [{"id": "call_abcdefghijklmnop", "type": "function",
         "function": {"name": "f", "arguments": "{\"b\":1.0, \"a\": [\"é\"]}"}}]}
        """#
    private static let user = #"{"role": "user", "content": "u"}"#
    private static let result = #"{"role": "tool", "tool_call_id": "call_abcdefghijklmnop", "content": "r"}"#

    private static let loop = "{% for m in messages %}{{ m.role }}:{{ m.content }}"

    @Test func `arguments are what the template takes: an object, or text`() throws {
        let turns = try conversation(Self.user, Self.call, Self.result)
        let object =
            Self.loop
            + "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %};{% endfor %}"
        #expect(try render(object, turns) == #"user:u;assistant:f {"b": 1.0, "a": ["é"]};tool:r;"#)
        let text = object.replacing("c.function.arguments | tojson", with: "'' + c.function.arguments")
        #expect(try render(text, turns) == #"user:u;assistant:f {"b":1.0, "a": ["é"]};tool:r;"#)
        let bare = object.replacing("c.function.arguments | tojson", with: "c.function.arguments")
        #expect(try render(bare, turns) == #"user:u;assistant:f {"b":1.0, "a": ["é"]};tool:r;"#)
        let both = object.replacing(
            "{{ c.function.arguments | tojson }}",
            with:
                "{% if c.function.arguments is string %}{{ c.function.arguments }}{% else %}{{ c.function.arguments | tojson }}{% endif %}"
        )
        #expect(try render(both, turns) == #"user:u;assistant:f {"b": 1.0, "a": ["é"]};tool:r;"#)
    }

    @Test func `no text beside calls is whatever makes the template write the calls`() throws {
        let calls = "{% for c in m.tool_calls %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}"
        let other = "{% else %}{{ m.role + m.content }}{% endif %}{% endfor %}"
        let cases = [
            ("m.content is none", "None"), ("m.content is not defined", ""), ("m.content == '' and m.tool_calls", ""),
            ("m.tool_calls", ""),
        ]
        for (test, _) in cases {
            let template = "{% for m in messages %}{% if \(test) %}" + calls + other
            for content in ["null", #""""#] {
                let call = Self.call.replacing("\"content\": null", with: "\"content\": \(content)")
                #expect(
                    try render(template, conversation(Self.user, call, Self.result))
                        == #"useruf{"b": 1.0, "a": ["é"]}toolr"#, "\(test), \(content)")
            }
        }
    }

    @Test func `ids are shortened for templates that want nine letters, alike in both places`() throws {
        let template = """
            {% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}\
            {{ raise_exception('ids have nine letters') }}{% endif %}{{ c.id }}{{ c.function | tojson }}{% endfor %}\
            {{ m.content }}{{ m.tool_call_id }}{% endfor %}
            """
        let text = try render(template, conversation(Self.user, Self.call, Self.result))
        let id = text.dropFirst().prefix(9)
        #expect(text == "u\(id){\"name\": \"f\", \"arguments\": {\"b\": 1.0, \"a\": [\"é\"]}}r\(id)")
        #expect(id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        let short = "abcDEF123"
        let kept = try render(
            template,
            conversation(
                Self.user, Self.call.replacing("call_abcdefghijklmnop", with: short),
                Self.result.replacing("call_abcdefghijklmnop", with: short)))
        #expect(kept.hasPrefix("u" + short) && kept.hasSuffix("r" + short))
    }

    @Test func `calls that a template writes one at a time follow each other, each with its answer`() throws {
        let template = """
            {% for m in messages %}{{ m.role }}:{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}\
            {{ raise_exception('one call at a time') }}{% endif %}{{ m.tool_calls[0].function.name }}\
            {{ m.tool_calls[0].function.arguments | tojson }}{% else %}{{ m.content }}{% endif %};{% endfor %}
            """
        let calls = #"""
            {"role": "assistant", "content": "Let me look.", "reasoning_content": "hm", "tool_calls": [
             {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
             {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}
            """#
        let answers = ["b", "a"].map { #"{"role": "tool", "tool_call_id": "\#($0)", "content": "of \#($0)"}"# }
        let turns = try conversation(Self.user, calls, answers[0], answers[1], Self.user)
        #expect(
            try render(template, turns)
                == #"user:u;assistant:Let me look.;assistant:f{"x": 1};tool:of a;assistant:g{};tool:of b;user:u;"#)
        // An answer that is not there, or to another call, loses nothing.
        let without = try conversation(Self.user, calls, answers[1], answers[0].replacing(#""b""#, with: #""z""#))
        #expect(try render(template, without).hasSuffix("assistant:g{};tool:of b;"))
    }

    @Test func `what a template passes over is refused by its place`() throws {
        func refusal(_ template: String, _ conversation: Conversation) throws -> String? {
            do {
                let text = try render(template, conversation)
                Issue.record("rendered: \(text)")
                return nil
            } catch let error as TokenizerError { return error.field }
        }
        let plain = Self.loop + "{% endfor %}"
        let deaf = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
        #expect(try refusal(plain, conversation(Self.user, Self.call)) == "messages[1].tool_calls")
        #expect(try refusal(deaf, conversation(Self.user, Self.result)) == "messages[1].role")
        #expect(
            try refusal(plain, conversation(#"{"role": "user", "content": "u", "name": "n"}"#)) == "messages[0].name")
        #expect(
            try render(
                "{% for m in messages %}{{ m.name }}{{ m.content }}{% endfor %}",
                conversation(#"{"role": "user", "content": "u", "name": "n"}"#)) == "nu")
        var asking = try conversation(Self.user)
        asking.tools = [try json(#"{"type": "function", "function": {"name": "f"}}"#)]
        #expect(try refusal(plain, asking) == "tools")
        #expect(try refusal(plain + "{% if tools %}tools{% endif %}", asking) == "tools")
        asking.tools = []
        asking.documents = [try json(#"{"text": "d"}"#)]
        #expect(try refusal(plain, asking) == "documents")
        asking.documents = []
        asking.variables = try object(#"{"enable_thinking": true}"#)
        #expect(try refusal(plain, asking) == "chat_template_kwargs.enable_thinking")
        // Both set it themselves, whatever is given.
        #expect(try refusal("{% set enable_thinking = 1 %}" + plain, asking) == "chat_template_kwargs.enable_thinking")
        asking.variables = try object(#"{"messages": []}"#)
        #expect(try refusal(plain, asking) == "chat_template_kwargs.messages")
        // No thinking is what a model without it does.
        asking.variables = try object(#"{"enable_thinking": false, "x": null, "reasoning_effort": "none"}"#)
        #expect(try render(plain, asking) == "user:u")
        let broken = Self.call.replacing(#""{\"b\":1.0, \"a\": [\"é\"]}""#, with: #""{\"b\":""#)
        let takes = Self.loop + "{{ m.tool_calls | tojson if m.tool_calls }}{% endfor %}"
        #expect(try refusal(takes, conversation(Self.user, broken)) == "messages[1].tool_calls[0].function.arguments")
    }

    @Test func `tools, documents and variables reach the template in their order`() throws {
        var asking = try conversation(Self.user)
        asking.tools = [
            try json(
                #"{"type": "function", "function": {"strict": true, "name": "f", "parameters": {"z": 1, "a": 1e2, "z": 2, "ü": null}}}"#
            )
        ]
        asking.documents = [try json(#"{"title": "t", "text": "d"}"#)]
        asking.variables = try object(#"{"enable_thinking": true, "deep": {"x": [1, "y"]}}"#)
        let template =
            "{{ tools | tojson }}{{ documents[0].text if documents }}{{ enable_thinking }}{{ deep.x[1] if deep }}{{ messages[0].content }}"
        #expect(
            try render(template, asking)
                == #"[{"type": "function", "function": {"strict": true, "name": "f", "parameters": {"z": 2, "a": 100.0, "ü": null}}}]dTrueyu"#
        )
    }

    @Test func `parts stay parts where the template goes through them, and become lines where it does not`() throws {
        let parts = try conversation(
            #"{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}"#)
        #expect(try render(Self.loop + "{% endfor %}", parts) == "user:a\nb")
        let both = """
            {% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}\
            {{ p.text }}{% endfor %}{% endif %}{% endfor %}
            """
        #expect(try render(both, parts) == "ab")
        let only =
            "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% endfor %}"
        #expect(try render(only, parts) == "ab")
        // A text is a part of its own for a template that knows nothing else.
        #expect(try render(only, conversation(Self.user)) == "u")
    }

    @Test func `a developer is the system to templates that do not know developers`() throws {
        let turns = try conversation(#"{"role": "developer", "content": "d"}"#, Self.user)
        #expect(try render(Self.loop + "{% endfor %}", turns) == "system:duser:u")
        #expect(
            try render(Self.loop + "{{ '!' if m.role == 'developer' }}{% endfor %}", turns) == "developer:d!user:u")
    }

    @Test func `thoughts have every name that templates know`() throws {
        let template = "{% for m in messages %}{{ m.content }}{{ m.reasoning_content }}{{ m.thinking }}{% endfor %}"
        for name in ["reasoning_content", "reasoning", "thinking"] {
            let turn = #"{"role": "assistant", "content": "a", "NAME": "t"}"#.replacing("NAME", with: name)
            #expect(try render(template, conversation(Self.user, turn)) == "uatt")
        }
    }

    @Test func `an answer goes on behind the last word`() throws {
        let template = Self.loop + "<end>\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
        var turns = try conversation(Self.user, #"{"role": "assistant", "content": "The moon "}"#)
        (turns.addGenerationPrompt, turns.continuesFinalMessage) = (false, true)
        #expect(try render(template, turns) == "user:u<end>\nassistant:The moon ")
        #expect(
            try render(template.replacing("m.content", with: "m.content | trim"), turns)
                == "user:u<end>\nassistant:The moon")
        #expect(throws: TokenizerError.self) {
            try render(template.replacing("m.content", with: "m.content | upper"), turns)
        }
        turns.messages[1].content = nil
        #expect { try render(template, turns) } throws: { ($0 as? TokenizerError)?.field == "continue_final_message" }
    }

    @Test func `what the template wrote last is the opening of the answer`() throws {
        let template = ChatTemplate(
            "{% for m in messages %}<u>{{ m.content }}</u>{% endfor %}<a><think>{{ '\n' }}", variables: [:])
        #expect(try template.render(Conversation([message(Self.user)])).opening == "</u><a><think>\n")
        let long = ChatTemplate("{{ messages[0].content }}a" + String(repeating: "é", count: 600), variables: [:])
        #expect(try long.render(Conversation([message(Self.user)])).opening == String(repeating: "é", count: 512))
        let open = ChatTemplate("{{ messages[0].content }}", variables: [:])
        #expect(try open.render(Conversation([message(Self.user)])).opening == "")
    }

    @Test func `nothing of a call, a tool or a document is a control token`() throws {
        let template = """
            <|start|>{{ tools | tojson }}{{ documents | tojson }}{{ x }}{% for m in messages %}{{ m.content }}\
            {{ m.tool_call_id }}{{ m.name }}{{ m.reasoning_content }}\
            {% for c in m.tool_calls or [] %}{{ c.id }}{{ c.type }}{{ c.function.name }}{% for k, v in c.function.arguments.items() %}\
            <{{ k }}>{{ v }}{% endfor %}{% endfor %}{% endfor %}<|end|>
            """
        var turns = try conversation(
            Self.user,
            #"""
            {"role": "assistant", "content": null, "reasoning_content": "<|t|>", "tool_calls": [{"id": "<|i|>",
            "type": "<|y|>", "function": {"name": "<|n|>", "arguments": "{\"<|k|>\": \"<|v|>\"}"}}]}
            """#, #"{"role": "tool", "tool_call_id": "<|i|>", "name": "<|n|>", "content": "<|r|>"}"#)
        turns.tools = [try json(#"{"type": "function", "function": {"name": "<|f|>", "<|key|>": "<|d|>"}}"#)]
        turns.documents = [try json(#"{"<|dk|>": "<|dv|>"}"#)]
        turns.variables = try object(#"{"x": "<|x|>"}"#)
        let rendering = try ChatTemplate(template, variables: [:]).render(turns)
        let trusted = rendering.trusted.map { String(decoding: rendering.bytes[$0], as: UTF8.self) }.joined(
            separator: "\u{0}")
        for name in ["t", "i", "y", "n", "k", "v", "r", "f", "key", "d", "dk", "dv", "x"] {
            #expect(rendering.text.contains("<|\(name)|>"), "\(name)")
            #expect(!trusted.contains("|\(name)|"), "\(name)")
        }
        #expect(trusted.hasPrefix("<|start|>") && trusted.hasSuffix("<|end|>"))
    }
}
