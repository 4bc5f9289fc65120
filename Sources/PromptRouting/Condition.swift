internal import ConfigurationFiles
internal import RegularExpressions

/// One thing that a route asks of a request.
enum Condition: Sendable {
    case model([Glob])
    case kind([RoutingRequest.Kind])
    case language([Language])
    case intent(Intent)
    case text(RegularExpression, pattern: String)
    case longerThan(Int)
    case user([Glob])
    case key([Glob])

    func holds(for request: RoutingRequest) -> Bool {
        switch self {
        case .model(let globs): globs.contains { $0.matches(request.model) }
        case .kind(let kinds): kinds.contains(request.kind)
        case .language(let languages): Language(of: request.text).map { languages.contains($0) } ?? false
        case .intent(let intent): intent.matches(request.opening)
        case .text(let expression, _): expression.matches(request.opening)
        case .longerThan(let characters): request.length > characters
        case .user(let globs): request.user.map { user in globs.contains { $0.matches(user) } } ?? false
        case .key(let globs): request.key.map { key in globs.contains { $0.matches(key) } } ?? false
        }
    }
}

extension Condition: CustomStringConvertible {
    var description: String {
        switch self {
        case .model(let globs): "model is \(globs.map(\.pattern).joined(separator: " or "))"
        case .kind(let kinds): "it is a \(kinds.map(\.rawValue).joined(separator: " or ")) request"
        case .language(let languages): "language is \(languages.map(\.rawValue).joined(separator: " or "))"
        case .intent(let intent): "intent is \(intent.name)"
        case .text(_, let pattern): "text matches /\(pattern)/"
        case .longerThan(let characters): "prompt is longer than \(characters) characters"
        case .user(let globs): "user is \(globs.map(\.pattern).joined(separator: " or "))"
        case .key(let globs): "key is \(globs.map(\.pattern).joined(separator: " or "))"
        }
    }
}
