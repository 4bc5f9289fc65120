import Foundation
import JSON

/// JSON from a client.
enum JSONRequest {
    /// Reads a request body.
    ///
    /// - Parameter fields: fields of the route that are refused unless they ask for nothing.
    /// - Throws: `APIError` that names the field at fault.
    static func decode<Body: Decodable>(
        _ type: Body.Type, from data: Data, refusing fields: RefusedFields = .none
    ) throws -> Body {
        do {
            let value = try JSONParser.parse([UInt8](data))
            guard case .object(let object) = value else {
                throw JSONError(.root, "must be a JSON object, not \(value.kind)")
            }
            try fields.check(object)
            return try value.decode(type)
        } catch let error as APIError {
            throw error
        } catch let error as JSONError {
            throw APIError(error)
        } catch DecodingError.dataCorrupted(let context) {
            throw APIError(JSONError(JSONPath(context.codingPath), context.debugDescription))
        } catch {
            throw APIError.invalidRequest("The body cannot be read.")
        }
    }
}

extension APIError {
    /// What is wrong with a body, and in which field.
    init(_ error: JSONError) {
        let field = error.path.description
        if error.isSyntax {
            let place = field.isEmpty ? "" : " in '\(field)'"
            self = .invalidRequest(
                "The body is not valid JSON\(place): \(error.problem).", parameter: field.isEmpty ? nil : field)
        } else if field.isEmpty {
            self = .invalidRequest("The body \(error.problem).")
        } else {
            self = .invalidRequest("'\(field)' \(error.problem).", parameter: field)
        }
    }
}
