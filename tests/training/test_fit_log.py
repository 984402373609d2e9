from uteroseg.training.fit import TrainingLog


def test_a_training_that_goes_on_takes_later_rows_back(tmp_path):
    log = TrainingLog(tmp_path, 0)
    for step in (10, 20, 30):
        log.write(step, 1 / step, 1e-3, 0.5 if step == 20 else None)
    log.close()
    with (tmp_path / "log.csv").open("a") as file:
        file.write("40,0.0")  # as a kill leaves it
    again = TrainingLog(tmp_path, 20)
    again.write(30, 0.25, 1e-3, None)
    again.close()
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "step,loss,learning_rate,dsc",
        "10,0.1,0.001,",
        "20,0.05,0.001,0.5000",
        "30,0.25,0.001,",
    ]
    assert sorted(path.name for path in tmp_path.glob("events*")) == [
        "events.out.tfevents.0000",
        "events.out.tfevents.0001",
    ]


def test_a_new_training_begins_a_new_table(tmp_path):
    for _ in range(2):
        log = TrainingLog(tmp_path, 0)
        log.write(10, 1, 1, None)
        log.close()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
