import ChatFormats
import Grammars
import JSON
import TextModels

/// What a request demands of its answer: a schema of the content, tools that may or must be called, thoughts before.
package struct AnswerDemand: Sendable, Hashable {
    /// The text of a JSON Schema; empty for any content.
    package var schema: [UInt8]
    /// What the request calls the schema.
    package var field: String
    /// How calls of tools are written, by the form's name; empty for none.
    package var toolForm: String
    /// The JSON text of a list of functions.
    package var tools: [UInt8]
    package var requiresCall: Bool
    package var isSingleCall: Bool
    /// How thoughts are written, by the form's name; empty for none.
    package var reasoningForm: String
    package var isThinking: Bool

    package init(
        schema: [UInt8] = [], field: String = "", toolForm: String = "", tools: [UInt8] = [], requiresCall: Bool = false,
        isSingleCall: Bool = false, reasoningForm: String = "", isThinking: Bool = false
    ) {
        (self.schema, self.field, self.toolForm, self.tools) = (schema, field, toolForm, tools)
        (self.requiresCall, self.isSingleCall) = (requiresCall, isSingleCall)
        (self.reasoningForm, self.isThinking) = (reasoningForm, isThinking)
    }

    /// - Throws: `TextModelError.invalidRequest` for texts that are no JSON, and for forms and tools that there are not.
    func rules() throws(TextModelError) -> AnswerRules {
        var rules = AnswerRules(
            choice: requiresCall ? .required : .auto, isParallel: !isSingleCall, isThinking: isThinking)
        if !reasoningForm.isEmpty {
            guard let form = ReasoningForm.named(reasoningForm) else {
                throw TextModelError(
                    .invalidRequest, "there is no form of reasoning called '\(reasoningForm)'", field: "reasoning_form")
            }
            rules.reasoning = form
        }
        if !toolForm.isEmpty {
            guard let form = ToolForm.named(toolForm) else {
                throw TextModelError(
                    .invalidRequest, "there is no form of tool calls called '\(toolForm)'", field: "tool_form")
            }
            rules.form = form
            let tools = try value(of: tools, field: "tools")
            do throws(Tool.Fault) { rules.tools = try Tool.list(tools) } catch {
                throw TextModelError(.invalidRequest, "'tools\(error.place)' \(error.problem)", field: "tools")
            }
        }
        if !schema.isEmpty { rules.schema = .value(try value(of: schema, field: field)) }
        return rules
    }

    private func value(of text: [UInt8], field: String) throws(TextModelError) -> JSON.JSONValue {
        do throws(JSONError) { return try JSONParser.parse(text) } catch {
            throw fault("it is no JSON: \(error.problem)")
        }
    }

    func fault(_ what: String) -> TextModelError {
        let field = schema.isEmpty ? "tools" : field
        return TextModelError(.invalidRequest, "the schema of '\(field)' cannot be enforced: \(what)", field: field)
    }

    func fault(_ error: GrammarError) -> TextModelError {
        guard error.path?.hasPrefix("tools[") == true else { return fault(error.description) }
        return TextModelError(.invalidRequest, "a strict tool cannot be enforced: \(error)", field: "tools")
    }
}
