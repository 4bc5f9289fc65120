import JSON

extension RefusedFields {
    private static let ollama = [
        refuse("images", because: "the models here read text only"),
        refuse("width", "height", "steps", because: "/v1/images/generations draws"),
        refuse("truncate", "shift", because: "a conversation is never cut"),
        refuse(
            "temperature", "top_p", "top_k", "seed", "num_predict", "stop", "num_ctx", because: "its place is 'options'"
        ),
        refuse("max_tokens", because: "its name here is 'options.num_predict'"),
        refuse("response_format", because: "its name here is 'format'"),
        refuse("n", because: "there is one answer", unless: isNumber(1)),
    ]

    static let ollamaChat = RefusedFields(
        ollama,
        [
            refuse("tool_choice", because: "/v1/chat/completions has it", unless: isOne(of: "auto")),
            refuse("prompt", "system", because: "write it into 'messages'"),
            refuse("thinking", "thinking_token_budget", "thinking_budget", because: "'think' says it"),
        ])

    static let ollamaGenerate = RefusedFields(
        ollama,
        [
            refuse("template", because: "the template is the model's own"),
            refuse("context", because: "/api/chat takes the whole conversation"),
            refuse("messages", "tools", because: "/api/chat has them"),
        ])

    static let ollamaEmbed = RefusedFields([
        refuse("options", because: "nothing of it concerns embeddings")
    ])

    static let ollamaShow = RefusedFields([
        refuse("verbose", because: "the files are the services' own"),
        refuse("system", "template", "options", because: "a model is as its files say"),
    ])
}
