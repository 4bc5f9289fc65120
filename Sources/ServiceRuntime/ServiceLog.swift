package import Foundation
package import Logging

/// How a process writes its log: `NEPHELE_LOG_LEVEL` (trace, debug, info, warning, error; info by default) and
/// `NEPHELE_LOG_FORMAT` (text, or json: an object a line, for collectors).
package enum ServiceLog {
    /// To be called once, before the first logger is made.
    package static func bootstrap() {
        let environment = ProcessInfo.processInfo.environment
        let level = environment["NEPHELE_LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0.lowercased()) } ?? .info
        let isJSON = environment["NEPHELE_LOG_FORMAT"]?.lowercased() == "json"
        LoggingSystem.bootstrap { label in
            if isJSON { return JSONLogHandler(label: label, logLevel: level) }
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }
}

/// A JSON object a line on standard error: time, level, label, message, and the metadata's own fields.
package struct JSONLogHandler: LogHandler {
    package let label: String
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]

    package init(label: String, logLevel: Logger.Level) { (self.label, self.logLevel) = (label, logLevel) }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        FileHandle.standardError.write(Data((line(event.level, "\(event.message)", event.metadata) + "\n").utf8))
    }

    package func line(_ level: Logger.Level, _ message: String, _ more: Logger.Metadata?, at date: Date = Date())
        -> String
    {
        var fields = metadata.merging(more ?? [:]) { $1 }.mapValues { "\($0)" }
        fields["time"] = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        (fields["level"], fields["service"], fields["message"]) = (level.rawValue, label, message)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(fields)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
