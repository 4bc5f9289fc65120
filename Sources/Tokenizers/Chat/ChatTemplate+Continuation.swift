import JSON
import Jinja

extension ChatTemplate {
    /// The text of a conversation whose last message is not ended: it breaks off behind that message's last word.
    ///
    /// Source: `continue_final_message` of transformers 5.23. A mark behind the last word shows where the template writes
    /// it; blanks before the mark go where the template takes blanks away.
    ///
    /// - Throws: `TokenizerError.invalidRequest` where there is nothing to go on with, or the template changes it.
    func unendedText(_ conversation: Conversation) throws(TokenizerError) -> TrustedText {
        func refuse(_ why: String) -> TokenizerError {
            TokenizerError(.invalidRequest, "'continue_final_message': \(why)", field: "continue_final_message")
        }
        if conversation.addGenerationPrompt {
            throw refuse("an answer that goes on has no beginning; set 'add_generation_prompt' to false")
        }
        guard var last = conversation.messages.last, last.content != nil else {
            throw refuse("the last message has no 'content' to go on with")
        }
        var mark = "ContinueFinalMessage"
        while last.text.contains(mark) { mark += "_" }
        switch last.content {
        case .parts(var parts):
            guard let index = parts.lastIndex(where: { $0["text"]?.text != nil }), let text = parts[index]["text"]?.text
            else { throw refuse("the last message has no text to go on with") }
            parts[index] = parts[index].replacing("text", with: .string(text + mark + " "))
            last.content = .parts(parts)
        default: last.content = .text(last.text + mark + " ")
        }
        var marked = conversation
        marked.messages[marked.messages.count - 1] = last
        let text = try text(reading(marked), marked)
        guard let place = text.last(TrustedText(mark, isTrusted: true)) else {
            throw refuse("the model's chat template does not write the last message as it stands")
        }
        let end = place + mark.unicodeScalars.count
        let keepsBlanks = end < text.count && text.scalars[end] == " "
        return keepsBlanks ? text[0..<place] : text[0..<place].stripped(left: false)
    }
}
