import JSON

extension RefusedFields {
    /// Of Anthropic's form of a chat.
    static let messages = RefusedFields(
        text, conversation,
        [
            refuse("stop", because: "its name here is 'stop_sequences'"),
            refuse("n", "best_of", because: "a message is one answer", unless: isNumber(1)),
            refuse(
                "max_completion_tokens", "max_output_tokens", because: "its name here is 'max_tokens'"),
            refuse("stream_options", because: "usage is a part of every stream") {
                $0["continuous_usage_stats"]?.isEmpty ?? true
            },
            refuse("output_format", "response_format", because: "its name here is 'output_config.format'"),
            refuse("reasoning_effort", "effort", "verbosity", because: "'output_config.effort' says it"),
            refuse("reasoning", "think", "enable_thinking", because: "'thinking' says it"),
            refuse("add_generation_prompt", "continue_final_message", because: "a last turn of the assistant goes on"),
            refuse("parallel_tool_calls", because: "'tool_choice.disable_parallel_tool_use' says it", unless: isTrue),
            refuse("functions", because: "its name here is 'tools'"),
            refuse("function_call", because: "its name here is 'tool_choice'"),
            refuse("input", "prompt", because: "its name here is 'messages'"),
            refuse("instructions", because: "its name here is 'system'"),
            refuse("logprobs", "top_logprobs", because: "/v1/chat/completions has log-probabilities"),
            refuse("modalities", because: "answers here are text", unless: isText),
            refuse("container", because: "no code is run here"),
            refuse("mcp_servers", because: "tools are called by the client"),
            refuse("context_management", because: "a conversation is never cut"),
            refuse("diagnostics", "store", "background", because: "nothing is kept here"),
            refuse("inference_geo", "user_profile_id", "workspace_id", because: "it belongs to another service"),
            refuse("speed", because: "every request is served alike", unless: isOne(of: "standard")),
            refuse(
                "service_tier", because: "every request is served alike", unless: isOne(of: "auto", "standard_only")),
            refuse("echo", "suffix", because: "a conversation is answered, not filled in"),
        ], except: thoughts.union(["stop_sequences"]))
}
