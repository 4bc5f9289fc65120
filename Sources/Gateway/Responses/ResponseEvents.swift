import Hummingbird
import JSON
import NIOCore

/// OpenAI's events of a response, numbered as they are made: each part is announced, grows, and is sent once more as a whole.
struct ResponseEvents {
    private var count = 0
    /// Those up to this number are made and not written.
    private let startingAfter: Int
    private(set) var bytes = ByteBuffer()

    init(startingAfter: Int = -1) { self.startingAfter = startingAfter }

    /// What has been made since the last time.
    mutating func take() -> ByteBuffer {
        defer { bytes = ByteBuffer() }
        return bytes
    }

    mutating func add(_ type: String, _ fill: (inout ResponseEvent) -> Void) throws {
        defer { count += 1 }
        guard count > startingAfter else { return }
        var event = ResponseEvent(type, count)
        fill(&event)
        bytes.writeString("event: \(type)\n")
        bytes.writeImmutableBuffer(try EventStream.event(event))
    }

    /// An event of an item's one part.
    private mutating func add(
        _ type: String, part id: String, _ index: Int, _ fill: (inout ResponseEvent) -> Void
    ) throws {
        try add(type) {
            ($0.item_id, $0.output_index, $0.content_index) = (id, index, 0)
            fill(&$0)
        }
    }

    /// The response begins.
    mutating func begin(_ opening: JSONValue) throws {
        try add("response.created") { $0.response = opening }
        try add("response.in_progress") { $0.response = opening }
    }

    mutating func add(_ changes: [AnswerBlocks.Change], of items: ResponseItems) throws {
        for change in changes {
            switch change {
            case .began(let index): try began(items[index], index)
            case .text(let index, let text): try grew(items[index], index, by: text)
            case .ended(let index): try ended(items[index], index)
            }
        }
    }

    private mutating func began(_ item: ResponseItem, _ index: Int) throws {
        try add("response.output_item.added") {
            ($0.output_index, $0.item) = (index, item)
            if item.content != nil { $0.item?.content = [] }
        }
        guard item.type != "function_call" else { return }
        try add("response.content_part.added", part: item.id, index) {
            $0.part = item.type == "message" ? .output("") : .reasoning("")
        }
    }

    private mutating func grew(_ item: ResponseItem, _ index: Int, by text: String) throws {
        switch item.type {
        case "message":
            try add("response.output_text.delta", part: item.id, index) { ($0.delta, $0.logprobs) = (text, []) }
        case "reasoning": try add("response.reasoning_text.delta", part: item.id, index) { $0.delta = text }
        default:
            try add("response.function_call_arguments.delta") {
                ($0.item_id, $0.output_index, $0.delta) = (item.id, index, text)
            }
        }
    }

    private mutating func ended(_ item: ResponseItem, _ index: Int) throws {
        let part = item.content?.first
        switch item.type {
        case "message":
            try add("response.output_text.done", part: item.id, index) {
                ($0.text, $0.logprobs) = (part?.text ?? "", [])
            }
        case "reasoning": try add("response.reasoning_text.done", part: item.id, index) { $0.text = part?.text ?? "" }
        default:
            try add("response.function_call_arguments.done") {
                ($0.item_id, $0.output_index) = (item.id, index)
                ($0.arguments, $0.name) = (item.arguments, item.name)
            }
        }
        if item.type != "function_call" {
            try add("response.content_part.done", part: item.id, index) { $0.part = part }
        }
        try add("response.output_item.done") { ($0.output_index, $0.item) = (index, item) }
    }
}
