package import Foundation

/// What the gateway says and is asked, as far as the command line needs it.
package struct ChatRequest: Encodable, Sendable {
    package struct Message: Encodable, Sendable {
        package var role: String
        /// nil where only tools are called.
        package var content: String?
        package var tool_calls: [ToolCall]?
        /// Of a tool's turn: the call that it answers.
        package var tool_call_id: String?

        package init(role: String, content: String?) { (self.role, self.content) = (role, content) }
    }

    /// A call of a tool, or a part of one that is streamed.
    package struct ToolCall: Codable, Sendable {
        package struct Function: Codable, Sendable {
            package var name: String?
            package var arguments: String
        }

        package var index: Int?
        package var id: String?
        package var type: String? = "function"
        package var function: Function
    }

    private struct StreamOptions: Encodable, Sendable { var include_usage = true }

    package var model: String
    package var messages: [Message]
    package var temperature: Float?
    package var max_tokens: Int?
    package var seed: Int64?
    private var stream = true
    private var stream_options = StreamOptions()
    /// Texts of JSON values that go as they are, with their members in their order: a schema of the answer, and tools.
    package var schema: String?
    package var tools: [String] = []

    private enum CodingKeys: String, CodingKey {
        case model, messages, temperature, max_tokens, seed, stream, stream_options
    }

    package init(model: String, messages: [Message]) { (self.model, self.messages) = (model, messages) }

    /// The request as JSON.
    package func body() throws -> Data {
        var body = try JSONEncoder().encode(self)
        var members = ""
        if let schema {
            members += #","response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":\#(schema)}}"#
        }
        if !tools.isEmpty { members += #","tools":[\#(tools.joined(separator: ","))]"# }
        body.insert(contentsOf: Data(members.utf8), at: body.count - 1)
        return body
    }
}

package struct ChatChunk: Decodable, Sendable {
    package struct Delta: Decodable, Sendable {
        package var content: String?
        /// What the model thinks before it answers.
        package var reasoning: String?
        package var tool_calls: [ChatRequest.ToolCall]?
    }
    package struct Choice: Decodable, Sendable {
        package var delta: Delta
        package var finish_reason: String?
    }
    package struct Usage: Decodable, Sendable { package var completion_tokens: Int }

    package var choices: [Choice]
    package var usage: Usage?
}

package struct ImageRequest: Encodable, Sendable {
    package var model: String
    package var prompt: String
    package var n = 1
    package var seed: Int64?
    package var steps: Int?
    package var guidance_scale: Float?
    package var negative_prompt: String?
    private var stream = true
    private var progress_events = true
    private var response_format = "b64_json"

    package init(model: String, prompt: String) { (self.model, self.prompt) = (model, prompt) }
}

/// One event of a drawing: `image_generation.progress` a step, `image_generation.completed` a picture.
package struct ImageEvent: Decodable, Sendable {
    package var type: String
    package var step: Int?
    package var steps: Int?
    package var b64_json: String?
    package var seed: Int64?
}

package struct ModelEntries: Decodable, Sendable {
    package struct Model: Decodable, Sendable {
        package var id: String
        /// The model that an adapter changes; nil for a model of its own.
        package var parent: String?
        package var modality: String
        package var revision: String
        package var context_length: Int
    }

    package var data: [Model]
}

/// `POST /admin/models/{name}/reload`.
package struct ReloadOutcome: Decodable, Sendable {
    package struct Replica: Decodable, Sendable {
        package var service: String
        package var address: String
        /// `reloaded`, `unchanged`, `failed` or `not_tried`.
        package var outcome: String
        package var revision: String?
        package var previous_revision: String?
        package var seconds: Double?
        package var message: String?
    }

    package var model: String
    /// `reloaded`, `unchanged` or `failed`.
    package var outcome: String
    package var replicas: [Replica]
}

/// `POST /admin/route`.
package struct RouteQuestion: Encodable, Sendable {
    package var text: String
    package var model: String
    package var kind: String
    package var user: String?
    package var preset: String?

    package init(text: String, model: String, kind: String, user: String?, preset: String?) {
        (self.text, self.model, self.kind, self.user, self.preset) = (text, model, kind, user, preset)
    }
}

/// The answer to it.
package struct RouteExplanation: Decodable, Sendable {
    /// nil where no route takes the request.
    package var route: String?
    /// The first that can take it gets it.
    package var targets: [String]
    package var preset: String?
    package var filter: String?
    package var labels: String?
    /// How it came to this, a line each.
    package var steps: [String]

    package init(
        route: String?, targets: [String], preset: String?, filter: String?, labels: String?, steps: [String]
    ) {
        (self.route, self.targets, self.preset, self.filter, self.steps) = (route, targets, preset, filter, steps)
        self.labels = labels
    }
}

/// `GET /v1/usage`.
package struct UsageList: Decodable, Sendable {
    package struct Row: Decodable, Sendable {
        package var day: String
        package var key: String
        package var model: String
        package var requests: Int
        package var prompt_tokens: Int
        package var completion_tokens: Int
        package var pictures: Int
        package var cost: Double
    }

    package var data: [Row]
}

/// `GET /admin/status`.
package struct FleetStatus: Decodable, Sendable {
    package struct Instance: Decodable, Sendable {
        package var service: String
        package var address: String
        package var instance_id: String
        package var models: [String]
        /// The layers of a text model that the instance has.
        package var layers: String?
        package var state: String
        package var outstanding: Int
        package var running_calls: Int
        package var capacity: Int
        /// Sequences that wait in a text engine, and the part of its cache that is held, 0 to 1.
        package var waiting: Int?
        package var cache_use: Double?
        package var steps: UInt64
        package var revision: String
        package var retiring_revisions: [String]
        package var cancelled_calls: Int
    }

    package struct Requests: Decodable, Sendable {
        package var running: Int
        package var cancelled: Int
        package var refused: Int
        package var migrated_calls: Int
        package var given_up_calls: Int
    }

    package var requests: Requests
    package var instances: [Instance]
}
