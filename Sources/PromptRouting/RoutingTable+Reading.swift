internal import ConfigurationFiles
internal import Foundation
internal import RegularExpressions

extension RoutingTable {
    /// What is in force without a file: `auto` as a model, the intent to draw, and the presets that ship.
    package static func standard() throws -> RoutingTable {
        var table = RoutingTable()
        for (name, bytes) in [
            ("presets.yaml", PackageResources.presets_yaml), ("standard.yaml", PackageResources.standard_yaml),
        ] {
            try table.read(String(decoding: bytes, as: UTF8.self), file: name)
        }
        return table
    }

    /// The standard table, and a file's own aliases, presets, intents and routes before it.
    ///
    /// - Throws: `ConfigurationError` with the line at fault.
    package init(file: String) throws {
        try self.init(try YAMLValue.text(of: file), file: file)
        files.append(file)
    }

    /// - Parameter file: what errors name, and where relative paths begin.
    package init(_ text: String, file: String) throws {
        self = try .standard()
        let inherited = routes
        routes = []
        try read(text, file: file)
        routes += inherited
    }

    private mutating func read(_ text: String, file: String) throws {
        guard let document = try YAMLValue.parse(text, file: file) else { return }
        let fields = try document.fields(["aliases", "intents", "presets", "preset_files", "routes"])
        for (name, target) in try fields["aliases"]?.entries() ?? [] {
            aliases[try name.string()] = try target.string("a model's name")
        }
        for (name, value) in try fields["intents"]?.entries() ?? [] {
            intents[try name.string()] = try Self.intent(name.string(), value)
        }
        for (name, value) in try fields["presets"]?.entries() ?? [] {
            presets[try name.string()] = try Preset(name: name.string(), value)
        }
        for value in fields["preset_files"]?.oneOrMany() ?? [] {
            let path = try value.string("a path")
            let folder = (file as NSString).deletingLastPathComponent
            do {
                try readPreset(file: path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path)
            } catch let error as ConfigurationError where error.line == 0 {
                throw value.error(error.description)
            }
        }
        var names = Set(routes.map(\.name))
        for value in try fields["routes"]?.list() ?? [] {
            let route = try route(value)
            guard names.insert(route.name).inserted else {
                throw value.error("there are two routes of the name '\(route.name)'")
            }
            routes.append(route)
        }
    }

    private mutating func readPreset(file: String) throws {
        guard let document = try YAMLValue.parse(try YAMLValue.text(of: file), file: file) else { return }
        let name = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
        presets[name] = try Preset(name: name, document)
        files.append(file)
    }

    // MARK: Parts

    private static func expression(_ value: YAMLValue) throws -> RegularExpression {
        do {
            return try .bounded(value.string("a regular expression"))
        } catch let error as RegularExpression.PatternError {
            throw value.error(error.description)
        }
    }

    private static func intent(_ name: String, _ value: YAMLValue) throws -> Intent {
        let fields = try value.fields(["patterns", "unless"])
        guard let patterns = fields["patterns"] else { throw value.error("intent '\(name)' has no 'patterns'") }
        return Intent(
            name: name, patterns: try patterns.oneOrMany().map(expression),
            exceptions: try (fields["unless"]?.oneOrMany() ?? []).map(expression))
    }

    private func route(_ value: YAMLValue) throws -> Route {
        let fields = try value.fields(["name", "when", "to", "fallback", "preset", "filter", "labels", "limits"])
        guard let name = try fields["name"]?.string() else { throw value.error("a route needs a 'name'") }
        let targets = try (fields["to"]?.oneOrMany() ?? []).map(Self.target)
        if let first = targets.first, targets.reduce(0, { $0 + $1.weight }) <= 0, let to = fields["to"] {
            throw to.error("the weights of '\(name)' are all 0, that of '\(first)' too")
        }
        if let preset = fields["preset"], presets[try preset.string()] == nil {
            throw preset.error(
                "there is no preset '\(try preset.string())'; there are: \(presets.keys.sorted().joined(separator: ", "))"
            )
        }
        return Route(
            name: name, conditions: try fields["when"].map(conditions) ?? [], targets: targets,
            fallbacks: try (fields["fallback"]?.oneOrMany() ?? []).map(Self.target),
            preset: try fields["preset"]?.string(), filter: try fields["filter"]?.string("a filter's name"),
            labels: try fields["labels"]?.string("the name of a policy of labels"),
            limits: try fields["limits"].map(Self.limits) ?? RouteLimits())
    }

    private func conditions(_ value: YAMLValue) throws -> [Condition] {
        func globs(_ value: YAMLValue) throws -> [Glob] { try value.oneOrMany().map { Glob(try $0.string()) } }
        let known = ["model", "kind", "language", "intent", "text", "longer_than", "user", "key"]
        let fields = try value.fields(known)
        return try known.compactMap { name in
            guard let value = fields[name] else { return nil }
            return switch name {
            case "model": .model(try globs(value))
            case "kind": .kind(try value.oneOrMany().map { try $0.choice() })
            case "language": .language(try value.oneOrMany().map { try $0.choice() })
            case "intent":
                try intents[value.string()].map { .intent($0) }
                    ?? {
                        throw value.error(
                            "there is no intent '\(try value.string())'; there are: \(intents.keys.sorted().joined(separator: ", "))"
                        )
                    }()
            case "text": .text(try Self.expression(value), pattern: try value.string())
            case "longer_than": .longerThan(try value.int(0...100_000_000))
            case "user": .user(try globs(value))
            default: .key(try globs(value))
            }
        }
    }

    private static func target(_ value: YAMLValue) throws -> RouteTarget {
        guard !value.isScalar else { return RouteTarget(named: try value.string()) }
        let fields = try value.fields(["model", "revision", "weight"])
        guard let model = fields["model"] else { throw value.error("a target needs a 'model'") }
        var target = RouteTarget(named: try model.string("a model's name"))
        target.revision = try fields["revision"]?.string("the beginning of a revision's hash")
        target.weight = try fields["weight"]?.number(0...1_000_000) ?? 1
        return target
    }

    private static func limits(_ value: YAMLValue) throws -> RouteLimits {
        let fields = try value.fields(["max_tokens", "timeout_ms", "requests_per_minute"])
        return RouteLimits(
            maxTokens: try fields["max_tokens"]?.int(1...100_000_000),
            timeoutMilliseconds: try fields["timeout_ms"]?.int(1...86_400_000),
            requestsPerMinute: try fields["requests_per_minute"]?.int(1...100_000_000))
    }
}
