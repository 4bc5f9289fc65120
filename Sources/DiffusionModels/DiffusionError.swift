import Tensors

/// What went wrong with a checkpoint or a request.
package struct DiffusionError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A file is missing, damaged or not what the configuration says.
        case invalidCheckpoint
        /// The checkpoint asks for something that is not implemented.
        case unsupported
        /// A request's value is out of range.
        case invalidRequest
        /// The job was cancelled.
        case cancelled
        /// Memory could not be had.
        case outOfMemory
    }

    package var code: Code
    package var message: String
    /// The field of the request that is at fault, as OpenAI's API calls it.
    package var field: String?

    package init(_ code: Code, _ message: String, field: String? = nil) {
        (self.code, self.message, self.field) = (code, message, field)
    }

    package var description: String { message }

    init(_ error: any Error) {
        switch error {
        case let error as DiffusionError: self = error
        case let error as TensorError:
            self.init(error.code == .tooLarge ? .outOfMemory : .invalidCheckpoint, error.message)
        default: self.init(.invalidCheckpoint, "\(error)")
        }
    }

    /// What is wrong with a JSON file, in a few words.
    static func brief(_ error: any Error) -> String {
        switch error {
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has the wrong type"
        case DecodingError.keyNotFound(let key, _): "\"\(key.stringValue)\" is missing"
        default: "not valid JSON"
        }
    }
}
