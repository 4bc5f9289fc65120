import Foundation

/// JSON from a client.
enum JSONRequest {
    /// Reads a request body.
    ///
    /// - Throws: `APIError` that names the field at fault.
    static func decode<Body: Decodable>(_ type: Body.Type, from data: Data) throws -> Body {
        guard String(validating: data, as: UTF8.self) != nil else {
            throw APIError.invalidRequest("The body is not UTF-8.")
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as APIError {
            throw error
        } catch DecodingError.keyNotFound(let key, _) {
            throw APIError.invalidRequest("'\(key.stringValue)' is required.", parameter: key.stringValue)
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let field = context.codingPath.first?.stringValue
            throw APIError.invalidRequest("'\(field ?? "the body")' has the wrong type.", parameter: field)
        } catch DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty {
            let field = context.codingPath.first?.stringValue
            throw APIError.invalidRequest("'\(field ?? "")': \(context.debugDescription)", parameter: field)
        } catch {
            throw APIError.invalidRequest("The body is not valid JSON.")
        }
    }
}
