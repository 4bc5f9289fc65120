"""Fine-tunes a model as OpenAI's own package does, from the upload to a chat with what came out; run by TrainerProcessTests.

Usage: fine_tuning_client.py BASE_URL MODEL
"""

import io
import json
import sys
import time

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
model = sys.argv[2]


def upload(lines, purpose="fine-tune"):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return client.files.create(file=("lines.jsonl", io.BytesIO(text.encode())), purpose=purpose).id


def wait(job, *states):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = client.fine_tuning.jobs.retrieve(job)
        if found.status in states:
            return found
        assert found.status in ("validating_files", "queued", "running", "paused"), found
        time.sleep(0.05)
    raise AssertionError(f"{found.status} after two minutes: {client.fine_tuning.jobs.list_events(job).data[:3]}")


def told(job, beginning):
    """Waits for an event, and reads all pages each time."""
    end = time.monotonic() + 120
    while not any(event.message.startswith(beginning) for event in client.fine_tuning.jobs.list_events(job, limit=100)):
        assert time.monotonic() < end, beginning
        time.sleep(0.05)


def chat(name, text="hello"):
    answer = client.chat.completions.create(model=name, temperature=0, max_tokens=12, seed=1,
                                            messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content


def refused(code=None, param=None, **fields):
    try:
        client.fine_tuning.jobs.create(**fields)
    except openai.APIStatusError as error:
        assert error.status_code in (400, 404), error
        assert param is None or error.param == param, (param, error.body)
        assert code is None or error.code == code, (code, error.body)
        return error.message
    raise AssertionError(f"accepted: {fields}")


def talk(question, answer, **more):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer, **more}]}


# Supervised, with samples that are not learned.
lines = [talk(word, "yes yes yes") for word in ("hello", "good day", "are you there", "is it so")] * 4
training, held_out = upload(lines), upload([talk("hi", "yes yes yes")])
job = client.fine_tuning.jobs.create(
    model=model, training_file=training, validation_file=held_out, suffix="yes", seed=7, metadata={"a": "b"},
    method={"type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 5, "batch_size": 4, "learning_rate_multiplier": 100}}})
assert job.object == "fine_tuning.job" and job.status in ("queued", "validating_files") and job.seed == 7, job
assert job.hyperparameters.n_epochs == 5 and job.metadata == {"a": "b"} and job.fine_tuned_model is None, job
before = chat(model)
done = wait(job.id, "succeeded")
assert done.fine_tuned_model == f"ft:{model}:nephele:yes:{job.id[-8:]}" and done.finished_at >= done.created_at, done
assert done.trained_tokens > 0 and done.error is None and done.estimated_finish is None, done
after = chat(done.fine_tuned_model)
assert "yes" in after and after != before and chat(model) == before, (before, after)
names = {item.id: item for item in client.models.list()}
assert names[done.fine_tuned_model].parent == model, names

# Everything that happened, in pages.
events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
steps = [event.data["step"] for event in events if event.type == "metrics"]
assert steps == list(range(20, 0, -1)), steps
losses = [event.data["train_loss"] for event in events if event.type == "metrics"]
assert losses[0] < losses[-1] and len({event.id for event in events}) == len(events), losses
assert events[0].message == "The job has successfully completed.", events[0]
assert [job.id] == [item.id for item in client.fine_tuning.jobs.list()]

# The last three epochs, each a model.
checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=1))
assert [item.step_number for item in checkpoints] == [20, 16, 12], checkpoints
assert checkpoints[0].fine_tuned_model_checkpoint == done.fine_tuned_model, checkpoints
assert checkpoints[1].fine_tuned_model_checkpoint == done.fine_tuned_model + ":ckpt-step-16", checkpoints
assert checkpoints[0].metrics.valid_loss < checkpoints[2].metrics.train_loss, checkpoints
assert isinstance(chat(checkpoints[2].fine_tuned_model_checkpoint), str)
table = client.files.content(done.result_files[0]).text.splitlines()
assert table[0] == "step,train_loss,valid_loss" and len(table) == 21, table

# The same job again gives the same model, to the bit of its losses.
again = client.fine_tuning.jobs.create(
    model=model, training_file=training, validation_file=held_out, seed=7,
    hyperparameters={"n_epochs": 5, "batch_size": 4, "learning_rate_multiplier": 100})
repeated = client.files.content(wait(again.id, "succeeded").result_files[0]).text.splitlines()
assert repeated == table and chat(client.fine_tuning.jobs.retrieve(again.id).fine_tuned_model) == after

# Preferences in OpenAI's form, from where the first job ended.
pair = {"input": {"messages": [{"role": "user", "content": "hello"}]},
        "preferred_output": [{"role": "assistant", "content": "no"}],
        "non_preferred_output": [{"role": "assistant", "content": "yes yes yes"}]}
preferences = client.fine_tuning.jobs.create(
    model=done.fine_tuned_model, training_file=upload([pair] * 8),
    method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": "auto", "batch_size": 4}}})
assert preferences.method.dpo.hyperparameters.beta == 0.2, preferences
preferences = wait(preferences.id, "succeeded")
assert preferences.fine_tuned_model.startswith(f"ft:{model}:nephele::"), preferences

# Single judgements: a method that OpenAI's own service lacks.
thumbs = [{"prompt": [{"role": "user", "content": "hello"}], "completion": [{"role": "assistant", "content": text}],
           "label": text == "yes"} for text in ("yes", "no")] * 4
kto = client.fine_tuning.jobs.create(
    model=model, training_file=upload(thumbs),
    method={"type": "kto", "kto": {"hyperparameters": {"batch_size": 4, "undesirable_weight": 0.5, "rank": 4}}})
wait(kto.id, "succeeded")

# Stopped, and going on.
long = [talk(f"question {number}", "yes yes yes yes") for number in range(256)]
held = client.fine_tuning.jobs.create(model=model, training_file=upload(long), seed=1,
                                      hyperparameters={"n_epochs": 50, "batch_size": 4})
wait(held.id, "running")
assert client.fine_tuning.jobs.pause(held.id).status == "paused"
told(held.id, "The job is paused; what is trained is kept.")
reached = next(e.data["step"] for e in client.fine_tuning.jobs.list_events(held.id, limit=100) if e.type == "metrics")
assert client.fine_tuning.jobs.retrieve(held.id).status == "paused" and 0 < reached < 3200, reached
assert client.fine_tuning.jobs.resume(held.id).status in ("queued", "validating_files", "running")
wait(held.id, "running")
told(held.id, "Training goes on behind step ")
assert client.fine_tuning.jobs.cancel(held.id).status == "cancelled"
wait(held.id, "cancelled")
try:
    client.fine_tuning.jobs.cancel(held.id)
    raise AssertionError("cancelled twice")
except openai.ConflictError as error:
    assert error.code == "job_cancelled", error

# What is wrong is said: of requests at once, of files by the job.
refused(param="model", code="model_not_found", model="nobody", training_file=training)
refused(param="training_file", model=model, training_file="file-nobody")
refused(param="training_file", model=model, training_file=upload(["{}"], purpose="batch"))
refused(param="method.type", model=model, training_file=training, method={"type": "reinforcement"})
refused(param="method.kto.hyperparameters.batch_size", model=model, training_file=training,
        method={"type": "kto", "kto": {"hyperparameters": {"batch_size": 1}}})
refused(param="hyperparameters.beta", model=model, training_file=training, hyperparameters={"beta": 0.1})
refused(param="hyperparameters.n_epochs", model=model, training_file=training, hyperparameters={"n_epochs": 0})
refused(param="suffix", model=model, training_file=training, suffix="a:b")
refused(param="seed", model=model, training_file=training, seed=-1)
refused(param="integrations", model=model, training_file=training,
        integrations=[{"type": "wandb", "wandb": {"project": "p"}}])
for faulty, method, words in [
    (["{"], "supervised", "line 1: is no JSON"),
    ([talk("a", "b"), talk("a", "")], "supervised", 'line 2: "messages[1].content" is empty'),
    ([talk("a", "b", weight=0)], "supervised", "no turn"),
    ([talk("a", "b", weight=2)], "supervised", '"messages[1].weight" must be 0 or 1'),
    ([{"prompt": "a", "completion": "b", "label": "true"}] * 2, "kto", '"label" must be true or false'),
    ([talk("a", "b")], "dpo", 'has no "chosen"'),
    ([{**pair, "input": {}}], "dpo", 'has no "messages"'),
]:
    failed = client.fine_tuning.jobs.create(model=model, training_file=upload(faulty), method={"type": method})
    failed = wait(failed.id, "failed")
    assert failed.error.code == "invalid_training_file" and failed.error.param == "training_file", failed
    assert words in failed.error.message and "/" not in failed.error.message.split("\n")[0], failed.error.message

# What is deleted is gone.
assert client.models.delete(done.fine_tuned_model).deleted
for _ in range(100):
    if done.fine_tuned_model not in {item.id for item in client.models.list()}:
        break
    time.sleep(0.05)
try:
    chat(done.fine_tuned_model)
    raise AssertionError("a deleted model answers")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
print("ok")
