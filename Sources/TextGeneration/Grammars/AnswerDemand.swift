import ChatFormats
import Grammars
import JSON
import TextModels

/// What a request demands of its answer: a schema of the content, tools that may or must be called, thoughts before.
package struct AnswerDemand: Sendable, Hashable {
    /// The text of a JSON Schema, or of what `language` says; empty for any content.
    package var schema: [UInt8]
    /// What the text is: `regex`, `choice` (a JSON list of texts), `gbnf` or `lark`; empty for a schema.
    package var language: String
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
        schema: [UInt8] = [], field: String = "", toolForm: String = "", tools: [UInt8] = [],
        requiresCall: Bool = false,
        isSingleCall: Bool = false, reasoningForm: String = "", isThinking: Bool = false, language: String = ""
    ) {
        (self.schema, self.field, self.toolForm, self.tools) = (schema, field, toolForm, tools)
        (self.requiresCall, self.isSingleCall) = (requiresCall, isSingleCall)
        (self.reasoningForm, self.isThinking, self.language) = (reasoningForm, isThinking, language)
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
        if !schema.isEmpty {
            let content = try content()
            (rules.schema, rules.contentRules) = (content.start, content.rules)
        }
        return rules
    }

    /// What the content must be.
    private func content() throws(TextModelError) -> Grammar {
        guard !language.isEmpty else { return Grammar(schema: try value(of: schema, field: field)) }
        guard let text = String(validating: schema, as: UTF8.self) else { throw fault("it is no UTF-8") }
        switch language {
        case "regex": return Grammar(pattern: text)
        case "choice":
            let choices = try value(of: schema, field: field).elements?.map(\.text) ?? []
            guard !choices.isEmpty, !choices.contains(nil) else { throw fault("it must be a list of texts") }
            return Grammar(choices: choices.compactMap { $0 })
        case "gbnf":
            do throws(GrammarError) { return try Grammar(gbnf: text) } catch { throw fault(error) }
        case "lark":
            do throws(GrammarError) { return try Grammar(lark: text) } catch {
                throw fault("\(error) (no line begins with 'name ::=', so it is read in Lark's notation, not in GBNF)")
            }
        default: throw fault("there is no language of grammars called '\(language)'")
        }
    }

    private func value(of text: [UInt8], field: String) throws(TextModelError) -> JSON.JSONValue {
        do throws(JSONError) { return try JSONParser.parse(text) } catch {
            throw fault("it is no JSON: \(error.problem)")
        }
    }

    func fault(_ what: String) -> TextModelError {
        let field = schema.isEmpty ? "tools" : field
        let kind = language.isEmpty || schema.isEmpty ? "the schema of '\(field)'" : "'\(field)'"
        return TextModelError(.invalidRequest, "\(kind) cannot be enforced: \(what)", field: field)
    }

    func fault(_ error: GrammarError) -> TextModelError {
        guard error.path?.hasPrefix("tools[") == true else { return fault(error.description) }
        return TextModelError(.invalidRequest, "a strict tool cannot be enforced: \(error)", field: "tools")
    }
}
