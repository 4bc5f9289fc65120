import Foundation
import Testing

/// Answers of a tiny model, which would say anything, hold to regular expressions, choices and grammars.
@Suite(.timeLimit(.minutes(5))) struct AnswerFormTests {
    private static let grammar = #"root ::= item (\", \" item){1,2}\nitem ::= [a-c]{2} | \"é\""#
    private static let lark = #"start: item (\",\" item) ~ 1..2\nitem: AB | \"é\"i\nAB: /[a-c]{2}/\n%ignore \" \""#

    @Test(arguments: [
        (#""guided_regex":"\\d{3}-[xy]+z""#, "^[0-9]{3}-[xy]+z$"), (#""regex":"a|bc{2}""#, "^(a|bcc)$"),
        (#""structured_outputs":{"regex":"[A-F]{8}"}"#, "^[A-F]{8}$"),
        (#""guided_choice":["yes","no","né"]"#, "^(yes|no|né)$"),
        (#""structured_outputs":{"choice":["left","right"]}"#, "^(left|right)$"),
        (#""guided_grammar":"\#(grammar)""#, "^([a-c]{2}|é)(, ([a-c]{2}|é)){1,2}$"),
        (#""grammar":"\#(grammar)""#, "^([a-c]{2}|é)(, ([a-c]{2}|é)){1,2}$"),
        (#""structured_outputs":{"grammar":"\#(grammar)"}"#, "^([a-c]{2}|é)(, ([a-c]{2}|é)){1,2}$"),
        (#""guided_grammar":"\#(lark)""#, "^ *([a-c]{2}|é|É)( *, *([a-c]{2}|é|É)){1,2} *$"),
        (#""structured_outputs":{"grammar":"\#(lark)"}"#, "^ *([a-c]{2}|é|É)( *, *([a-c]{2}|é|É)){1,2} *$"),
    ])
    func `an answer is of the form that is asked for`(field: String, pattern: String) async throws {
        try await withWholeGateway { client in
            for seed in 0..<4 {
                let fields = #""model":"llama","temperature":2,"seed":\#(seed),"max_tokens":60,\#(field)"#
                let chat = try json(
                    try await post(
                        client, "/v1/chat/completions", #"{\#(fields),"messages":[{"role":"user","content":"hi"}]}"#
                    ).body)
                let completion = try json(
                    try await post(client, "/v1/completions", #"{\#(fields),"prompt":"hi"}"#).body)
                for answer in [chat, completion] {
                    let choice = try #require((answer["choices"] as? [[String: Any]])?.first, "\(answer)")
                    let message = choice["message"] as? [String: Any]
                    let text = try #require(message?["content"] as? String ?? choice["text"] as? String)
                    // Only what repeats without an end may be cut.
                    guard choice["finish_reason"] as? String == "stop" else {
                        let isNumber = field.contains("[xy]+") && text.wholeMatch(of: /[0-9]{3}-[xy]*/) != nil
                        #expect(isNumber || field.contains("ignore") && text.hasSuffix(" "), "\(text)")
                        continue
                    }
                    #expect(text.range(of: pattern, options: .regularExpression) != nil, "\(field): \(text)")
                }
            }
        }
    }
}
