/// How a family of models writes its calls of tools. The forms are those of the families' chat templates.
package struct ToolForm: Sendable, Equatable {
    /// How one call is written.
    enum Call: Sendable, Equatable {
        /// A JSON object with a name and arguments under these keys; in a list of such objects, or by itself.
        case object(name: String, arguments: String, inList: Bool)
        /// A list of JSON objects, each with one member: the tool's name and the arguments.
        case keyed
        /// A name between texts, and arguments behind it.
        case named(before: String, between: String, after: String, Arguments)
        /// Python's calls with keyword arguments: in a list, or a line each.
        case python(inList: Bool)
        /// gpt-oss's messages to a recipient (harmony).
        case harmony
    }

    enum Arguments: Sendable, Equatable {
        case json
        /// Each parameter's name and value between texts; texts are bare. Where a family tells texts from other values,
        /// `otherwise` stands before what is none.
        case elements(before: String, between: String, after: String, otherwise: String? = nil)
        /// Each parameter's value between its name as a tag and the tag's end, both behind a sign; lists and objects likewise.
        case tags(sign: String)
        /// `{key:value}` with bare keys, and texts between a mark.
        case braces(mark: String)
    }

    package let name: String
    /// What begins a section of calls; empty where a call stands at the answer's beginning, without a sign.
    let opening: String
    let closing: String
    let call: Call
    /// Between the section's texts and its calls; between calls; and between sections, where one holds one call.
    var padding = ""
    var separator = ""
    var hasOneCall = false
    /// What stands between a call's id, which comes first, and its name; empty where calls have none.
    var idEnd = ""
    /// Whether a text in which `<` or `&` stands is wrapped as XML's CDATA.
    var wrapsTexts = false
    /// Another text that may stand before a section.
    var otherOpening: String?
    /// Texts that stand in the chat templates of models of this form, all of them in each.
    var signs: [String] = []

    /// The form of a name, as the wire has it.
    package static func named(_ name: String) -> ToolForm? { all.first { $0.name == name } }

    /// The form that a chat template describes; nil where it has none that is known.
    package static func described(by template: String) -> ToolForm? {
        all.first { !$0.signs.isEmpty && $0.signs.allSatisfy(template.contains) }
    }

    /// For models whose template says nothing of tools.
    package static let standard = all.first { $0.name == "hermes" } ?? all[0]

    /// DeepSeek's markup, since V3.2.
    private static let dsml = Call.named(
        before: "<｜DSML｜invoke name=\"", between: "\">\n", after: "</｜DSML｜invoke>",
        .elements(
            before: "<｜DSML｜parameter name=\"", between: "\" string=\"true\">", after: "</｜DSML｜parameter>\n",
            otherwise: "\" string=\"false\">"))

    /// The special ones first: a template that has the signs of several forms has the first of them.
    static let all: [ToolForm] = [
        ToolForm(
            name: "harmony", opening: " to=functions.", closing: "", call: .harmony,
            signs: ["<|channel|>", "<|message|>"]),
        ToolForm(
            name: "deepseek_v3", opening: "<｜tool▁calls▁begin｜>", closing: "<｜tool▁calls▁end｜>",
            call: .named(
                before: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", between: "\n```json\n",
                after: "\n```<｜tool▁call▁end｜>", .json), separator: "\n",
            signs: ["<｜tool▁calls▁begin｜>", "```json"]),
        ToolForm(
            name: "deepseek_v3_1", opening: "<｜tool▁calls▁begin｜>", closing: "<｜tool▁calls▁end｜>",
            call: .named(
                before: "<｜tool▁call▁begin｜>", between: "<｜tool▁sep｜>", after: "<｜tool▁call▁end｜>", .json),
            signs: ["<｜tool▁calls▁begin｜>"]),
        ToolForm(
            name: "kimi_k2", opening: "<|tool_calls_section_begin|>", closing: "<|tool_calls_section_end|>",
            call: .named(
                before: "<|tool_call_begin|>functions.", between: "<|tool_call_argument_begin|>",
                after: "<|tool_call_end|>", .json),
            signs: ["<|tool_calls_section_begin|>"]),
        ToolForm(
            name: "mistral_named", opening: "[TOOL_CALLS]", closing: "",
            call: .named(before: "", between: "[ARGS]", after: "", .json), hasOneCall: true,
            signs: ["[TOOL_CALLS]", "[ARGS]"]),
        ToolForm(
            name: "mistral", opening: "[TOOL_CALLS]", closing: "",
            call: .object(name: "name", arguments: "arguments", inList: true),
            signs: ["[TOOL_CALLS]"]),
        ToolForm(
            name: "gemma4", opening: "<|tool_call>", closing: "<tool_call|>",
            call: .named(before: "call:", between: "", after: "", .braces(mark: "<|\"|>")), hasOneCall: true,
            signs: ["<|tool_call>", "<tool_call|>"]),
        ToolForm(
            name: "function_gemma", opening: "<start_function_call>", closing: "<end_function_call>",
            call: .named(before: "call:", between: "", after: "", .braces(mark: "<escape>")), hasOneCall: true,
            signs: ["<start_function_call>"]),
        ToolForm(
            name: "command_r7b", opening: "<|START_ACTION|>", closing: "<|END_ACTION|>",
            call: .object(name: "tool_name", arguments: "parameters", inList: true),
            signs: ["<|START_ACTION|>"]),
        ToolForm(
            name: "command_r", opening: "Action:\n```json\n", closing: "```",
            call: .object(name: "tool_name", arguments: "parameters", inList: true), otherOpening: "Action: ```json\n",
            signs: ["Action:", "```json", "tool_name"]),
        ToolForm(
            name: "phi4_mini", opening: "<|tool_call|>", closing: "<|/tool_call|>",
            call: .object(name: "name", arguments: "arguments", inList: true),
            signs: ["<|tool_call|>", "<|/tool_call|>"]),
        ToolForm(
            name: "granite", opening: "<|tool_call|>", closing: "",
            call: .object(name: "name", arguments: "arguments", inList: true),
            signs: ["<|tool_call|>"]),
        ToolForm(
            name: "lfm2", opening: "<|tool_call_start|>", closing: "<|tool_call_end|>", call: .python(inList: true),
            signs: ["<|tool_call_start|>"]),
        ToolForm(
            name: "dsml_v3_2", opening: "<｜DSML｜function_calls>", closing: "</｜DSML｜function_calls>",
            call: dsml, padding: "\n", separator: "\n", signs: ["｜DSML｜", "function_calls>"]),
        ToolForm(
            name: "dsml_v4", opening: "<｜DSML｜tool_calls>", closing: "</｜DSML｜tool_calls>", call: dsml, padding: "\n",
            separator: "\n", signs: ["｜DSML｜"]),
        ToolForm(
            name: "solar_open", opening: "<|tool_calls|>", closing: "",
            call: .named(
                before: "<|tool_call:begin|>", between: "<|tool_call:args|>", after: "<|tool_call:end|>", .json),
            idEnd: "<|tool_call:name|>", signs: ["<|tool_calls|>", "<|tool_call:name|>"]),
        ToolForm(
            name: "apertus", opening: "<|tools_prefix|>", closing: "<|tools_suffix|>", call: .keyed,
            signs: ["<|tools_prefix|>"]),
        ToolForm(
            name: "hunyuan_v3", opening: "<tool_calls:opensource>", closing: "</tool_calls:opensource>",
            call: .named(
                before: "<tool_call:opensource>", between: "<tool_sep:opensource>\n", after: "</tool_call:opensource>",
                .elements(
                    before: "<arg_key:opensource>", between: "</arg_key:opensource>\n<arg_value:opensource>",
                    after: "</arg_value:opensource>\n")),
            padding: "\n", separator: "\n", signs: ["<tool_sep{}>"]),
        ToolForm(
            name: "minicpm5", opening: "<function name=\"", closing: "</function>",
            call: .named(
                before: "", between: "\">", after: "",
                .elements(before: "<param name=\"", between: "\">", after: "</param>")),
            separator: "\n", hasOneCall: true, wrapsTexts: true, signs: ["<function ", "<param "]),
        ToolForm(
            name: "minimax_m3", opening: "]<]minimax[>[<tool_call>", closing: "]<]minimax[>[</tool_call>",
            call: .named(
                before: "]<]minimax[>[<invoke name=\"", between: "\">", after: "]<]minimax[>[</invoke>",
                .tags(sign: "]<]minimax[>[")),
            padding: "\n", separator: "\n", signs: ["<]minimax[>"]),
        ToolForm(
            name: "nemotron", opening: "<TOOLCALL>", closing: "</TOOLCALL>",
            call: .object(name: "name", arguments: "arguments", inList: true), signs: ["<TOOLCALL>"]),
        ToolForm(
            name: "minimax_m1", opening: "<tool_calls>", closing: "</tool_calls>",
            call: .object(name: "name", arguments: "arguments", inList: false), padding: "\n", separator: "\n",
            signs: ["<tool_calls>", "<begin_of_document>"]),
        ToolForm(
            name: "apriel", opening: "<tool_calls>", closing: "</tool_calls>",
            call: .object(name: "name", arguments: "arguments", inList: true), signs: ["<tool_calls>"]),
        ToolForm(
            name: "minimax", opening: "<minimax:tool_call>", closing: "</minimax:tool_call>",
            call: .named(
                before: "<invoke name=\"", between: "\">\n", after: "</invoke>",
                .elements(before: "<parameter name=\"", between: "\">", after: "</parameter>\n")),
            padding: "\n", separator: "\n", signs: ["<minimax:tool_call>"]),
        ToolForm(
            name: "seed", opening: "<seed:tool_call>", closing: "</seed:tool_call>",
            call: .named(
                before: "<function=", between: ">\n", after: "</function>",
                .elements(before: "<parameter=", between: ">", after: "</parameter>\n")),
            padding: "\n", separator: "\n", hasOneCall: true, signs: ["<seed:tool_call>"]),
        ToolForm(
            name: "olmo3", opening: "<function_calls>", closing: "</function_calls>", call: .python(inList: false),
            separator: "\n", signs: ["<function_calls>"]),
        ToolForm(
            name: "glm4", opening: "<tool_call>", closing: "</tool_call>",
            call: .named(
                before: "", between: "\n", after: "",
                .elements(before: "<arg_key>", between: "</arg_key>\n<arg_value>", after: "</arg_value>\n")),
            separator: "\n", hasOneCall: true, signs: ["<arg_key>", "<tool_call>"]),
        ToolForm(
            name: "qwen_xml", opening: "<tool_call>", closing: "</tool_call>",
            call: .named(
                before: "<function=", between: ">\n", after: "</function>",
                .elements(before: "<parameter=", between: ">\n", after: "\n</parameter>\n")),
            padding: "\n", separator: "\n", hasOneCall: true, signs: ["<tool_call>", "<function="]),
        ToolForm(
            name: "functionary", opening: "<function=", closing: "</function>",
            call: .named(before: "", between: ">", after: "", .json), hasOneCall: true,
            signs: ["<function=", "</function>", "<|eom_id|>"]),
        ToolForm(
            name: "gigachat", opening: "<|function_call|>", closing: "",
            call: .object(name: "name", arguments: "arguments", inList: false), hasOneCall: true,
            signs: ["<|function_call|>"]),
        ToolForm(
            name: "hermes", opening: "<tool_call>", closing: "</tool_call>",
            call: .object(name: "name", arguments: "arguments", inList: false), padding: "\n", separator: "\n",
            hasOneCall: true, signs: ["<tool_call>"]),
        ToolForm(
            name: "llama3_json", opening: "", closing: "",
            call: .object(name: "name", arguments: "parameters", inList: false), separator: "; ",
            otherOpening: "<|python_tag|>",
            signs: ["\"parameters\": dictionary of argument name and its value"]),
        ToolForm(
            name: "pythonic", opening: "", closing: "", call: .python(inList: true), otherOpening: "<|python_start|>",
            signs: ["[func_name1(params_name1=params_value1"]),
    ]

    /// Whether a call's number stands behind its name, as `name:0`.
    var countsCalls: Bool { name == "kimi_k2" }

    /// Texts of control tokens that an answer is to show, where the model has such tokens.
    package var marks: [String] {
        var marks = [opening, closing, otherOpening ?? "", idEnd]
        switch call {
        case .named(let before, let between, let after, let arguments):
            marks += [before, between, after]
            switch arguments {
            case .json: break
            case .elements(let before, let between, let after, let otherwise):
                marks += [before, between, after, otherwise ?? ""]
            case .braces(let mark): marks.append(mark)
            case .tags(let sign): marks.append(sign)
            }
            // Mistral's calls may have an id.
            if between == "[ARGS]" { marks.append("[CALL_ID]") }
        case .harmony: marks += ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|constrain|>"]
        case .object, .keyed, .python: break
        }
        return marks.filter { !$0.isEmpty }
    }
}
